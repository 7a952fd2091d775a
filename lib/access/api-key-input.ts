import { isInteger } from '../common/options/kinds';
import { isScope } from '../common/scopes';
import { type FieldError, ValidationFailedError } from '../common/tenancy.errors';
import { isIpRange } from '../http/allowed-ips';
import { MAX_OVERLAP_MS } from './access.options';

/** What a caller says about a new key. */
export interface ApiKeyInput {
  /** 1 to 100 characters, not only white space. */
  readonly name: string;
  /** At most 100 scopes as `resource:action` or `resource:*`. Default none: the key may do nothing. */
  readonly scopes?: readonly string[];
  /** A time in the future. Default `null`: the key never expires. */
  readonly expiresAt?: Date | string | null;
  /** At most 100 addresses and CIDR ranges. Default none: the key may be used from everywhere. */
  readonly allowedIps?: readonly string[];
}

export type ApiKeyPatch = Partial<ApiKeyInput>;

/** The same values in the form in which they are stored. */
export interface CheckedApiKeyInput {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
  readonly allowedIps: readonly string[];
}

export const MAX_KEY_NAME_LENGTH = 100;
export const MAX_ENTRIES = 100;

/** RFC 3339 with an offset, so that it is the same moment in every time zone. */
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

/** @throws ValidationFailedError naming every bad field */
export function checkApiKey(
  { scopes = [], expiresAt = null, allowedIps = [], ...rest }: ApiKeyInput,
  now: Date,
): CheckedApiKeyInput {
  const given = { name: rest.name ?? '', scopes, expiresAt, allowedIps };
  return checkApiKeyPatch(given, now) as CheckedApiKeyInput;
}

/**
 * The fields of a patch in the form in which they are stored.
 *
 * @throws ValidationFailedError naming every bad field
 */
export function checkApiKeyPatch(
  { name, scopes, expiresAt, allowedIps }: ApiKeyPatch,
  now: Date,
): Partial<CheckedApiKeyInput> {
  const moment =
    typeof expiresAt === 'string' ? (DATE.test(expiresAt) ? new Date(expiresAt) : NaN) : expiresAt;
  requireAll([
    [
      'name',
      name === undefined || isName(name),
      `must be 1 to ${MAX_KEY_NAME_LENGTH} characters, not only white space, without NUL or half of a surrogate pair`,
    ],
    [
      'scopes',
      scopes === undefined || isListOf(scopes, isScope),
      `must be at most ${MAX_ENTRIES} of resource:action or resource:*, in lower case`,
    ],
    [
      'expiresAt',
      moment == null || isComing(moment, now),
      'must be a time in the future with its offset, as in 2030-12-31T00:00:00Z, or null',
    ],
    [
      'allowedIps',
      allowedIps === undefined || isListOf(allowedIps, isIpRange),
      `must be at most ${MAX_ENTRIES} addresses or CIDR ranges, such as 203.0.113.0/24`,
    ],
  ]);
  return {
    ...(name === undefined ? {} : { name }),
    ...(scopes === undefined ? {} : { scopes: [...new Set(scopes)].sort() }),
    ...(expiresAt === undefined ? {} : { expiresAt: moment as Date | null }),
    ...(allowedIps === undefined ? {} : { allowedIps: [...new Set(allowedIps)] }),
  };
}

/** @throws ValidationFailedError unless it is an integer from 0 to 7 days */
export function checkOverlap(overlapMs: number): void {
  const ok = isInteger(overlapMs, 0, MAX_OVERLAP_MS);
  requireAll([['overlapMs', ok, `must be an integer from 0 to ${MAX_OVERLAP_MS}`]]);
}

function requireAll(checks: readonly (readonly [field: string, ok: boolean, message: string])[]): void {
  const errors = checks.filter(([, ok]) => !ok).map(([field, , message]): FieldError => ({ field, message }));
  if (errors.length > 0) throw new ValidationFailedError(errors);
}

function isName(name: unknown): boolean {
  if (typeof name !== 'string' || name.trim() === '' || /[\0\ud800-\udfff]/u.test(name)) return false;
  return [...name].length <= MAX_KEY_NAME_LENGTH;
}

function isListOf(list: unknown, check: (each: unknown) => boolean): boolean {
  return Array.isArray(list) && list.length <= MAX_ENTRIES && list.every(check);
}

/** PostgreSQL stores years up to 294276, but a JSON date has four digits. */
function isComing(moment: unknown, now: Date): boolean {
  return moment instanceof Date && moment > now && moment.getUTCFullYear() <= 9_999;
}
