import { createHash } from 'node:crypto';
import { ValidationFailedError } from '../common/tenancy.errors';

/** More than any call accepts: metadata may be nested 64 deep. It bounds the recursion. */
const MAX_DEPTH = 100;

/**
 * 32 bytes that are equal for equal bodies, whatever the order of their keys. A missing body equals one without fields.
 *
 * @throws ValidationFailedError for a body that is nested deeper than 100 levels
 */
export function fingerprintOf(body: unknown): Buffer {
  return createHash('sha256')
    .update(canonicalJson(body ?? {}, 0))
    .digest();
}

function canonicalJson(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) {
    throw new ValidationFailedError([
      { field: 'body', message: `must not be nested deeper than ${MAX_DEPTH} levels` },
    ]);
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((each) => canonicalJson(each, depth + 1)).join()}]`;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonicalJson(each, depth + 1)}`).join()}}`;
}
