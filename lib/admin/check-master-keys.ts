import { isScope } from '../common/scopes';
import { MasterKeyMissingError } from './admin.errors';
import { type MasterKey, MIN_MASTER_KEY_LENGTH } from './admin.options';

/** What a single `masterKey` is called in the record. */
const DEFAULT_NAME = 'master';

/** What a header can carry: HTTP trims white space, and characters beyond ASCII arrive as others. */
const CARRIED_BY_HEADERS = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Shown in logs and lists; no control characters and no halves of surrogate pairs, which PostgreSQL cannot keep. */
const NAME = /^[^\p{C}]{1,100}$/u;

/** The single key, under the name it has in the record. Throws `MasterKeyMissingError`; the key is not in its message. */
export function checkMasterKey(key: unknown): MasterKey[] {
  const problem = keyProblem(key);
  if (problem) throw new MasterKeyMissingError(problem);
  return [{ name: DEFAULT_NAME, key: key as string }];
}

/** The keys as they were given. Throws `MasterKeyMissingError` for none, a bad one, and two of one name or value. */
export function checkMasterKeys(keys: unknown): readonly MasterKey[] {
  if (!Array.isArray(keys)) throw new MasterKeyMissingError('masterKeys that are no list');
  if (keys.length === 0) throw new MasterKeyMissingError('masterKeys that are an empty list');
  const seen = new Set<unknown>();
  (keys as (Partial<MasterKey> | undefined)[]).forEach((each, index) => {
    const at = `masterKeys[${index}]`;
    const { name, key, scopes } = each ?? {};
    if (typeof name !== 'string' || !NAME.test(name) || name.trim() === '') {
      throw new MasterKeyMissingError(
        `${at} without a name of 1 to 100 characters, none of them a control character`,
      );
    }
    const problem = keyProblem(key);
    if (problem) throw new MasterKeyMissingError(`for "${name}" (${at}) ${problem}`);
    if (scopes !== undefined && !(Array.isArray(scopes) && scopes.every(isScope))) {
      throw new MasterKeyMissingError(
        `for "${name}" (${at}) scopes that are no list of such as tenants:read`,
      );
    }
    if (seen.has(`name ${name}`)) throw new MasterKeyMissingError(`two keys named "${name}"`);
    if (seen.has(`key ${key}`))
      throw new MasterKeyMissingError(`for "${name}" (${at}) the key of another name`);
    seen.add(`name ${name}`).add(`key ${key}`);
  });
  return keys as MasterKey[];
}

/** What is wrong with a key, without the key. */
function keyProblem(key: unknown): string | undefined {
  if (typeof key !== 'string') return 'none';
  if (key.length < MIN_MASTER_KEY_LENGTH) return `one of ${key.length}`;
  if (CARRIED_BY_HEADERS.test(key)) return undefined;
  return 'one with white space around it, such as a line feed at its end, or with characters that are not ASCII';
}
