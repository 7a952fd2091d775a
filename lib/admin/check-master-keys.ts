import { isScope } from '../common/scopes';
import { MasterKeyMissingError } from './admin.errors';
import { type MasterKey, MIN_MASTER_KEY_LENGTH } from './admin.options';

/** The name of a single `masterKey` in the audit. */
const DEFAULT_NAME = 'master';

/** What a header can carry: HTTP trims white space, and characters beyond ASCII arrive as other ones. */
const CARRIED_BY_HEADERS = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/**
 * Shown in logs and lists. Without control characters, and without halves of surrogate pairs, which PostgreSQL cannot
 * store.
 */
const NAME = /^[^\p{C}]{1,100}$/u;

/**
 * The single key with its name in the audit. @throws MasterKeyMissingError when it cannot be used; the message does not
 * contain the key
 */
export function checkMasterKey(key: unknown): MasterKey[] {
  const problem = keyProblem(key);
  if (problem) throw new MasterKeyMissingError(problem);
  return [{ name: DEFAULT_NAME, key: key as string }];
}

/**
 * The keys, unchanged. @throws MasterKeyMissingError for an empty list, a bad key, and two keys with one name or value
 */
export function checkMasterKeys(keys: unknown): readonly MasterKey[] {
  if (!Array.isArray(keys)) throw new MasterKeyMissingError('masterKeys that are not a list');
  if (keys.length === 0) throw new MasterKeyMissingError('masterKeys that are an empty list');
  const seen = new Set<unknown>();
  (keys as (Partial<MasterKey> | undefined)[]).forEach((each, index) => {
    const at = `masterKeys[${index}]`;
    const { name, key, scopes } = each ?? {};
    if (typeof name !== 'string' || !NAME.test(name) || name.trim() === '') {
      throw new MasterKeyMissingError(
        `${at} without a name of 1 to 100 characters, or with a control character in the name`,
      );
    }
    const problem = keyProblem(key);
    if (problem) throw new MasterKeyMissingError(`for "${name}" (${at}) ${problem}`);
    if (scopes !== undefined && !(Array.isArray(scopes) && scopes.every(isScope))) {
      throw new MasterKeyMissingError(
        `for "${name}" (${at}) scopes that are not a list such as ['tenants:read']`,
      );
    }
    if (seen.has(`name ${name}`)) throw new MasterKeyMissingError(`two keys named "${name}"`);
    if (seen.has(`key ${key}`))
      throw new MasterKeyMissingError(`for "${name}" (${at}) a key that another name has`);
    seen.add(`name ${name}`).add(`key ${key}`);
  });
  return keys as MasterKey[];
}

/** What is wrong with a key. The text does not contain the key. */
function keyProblem(key: unknown): string | undefined {
  if (typeof key !== 'string') return 'none';
  if (key.length < MIN_MASTER_KEY_LENGTH) return `one of ${key.length}`;
  if (CARRIED_BY_HEADERS.test(key)) return undefined;
  return 'one with white space around it, such as a line feed at its end, or with characters that are not ASCII';
}
