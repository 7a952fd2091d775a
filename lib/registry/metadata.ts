export type Metadata = Readonly<Record<string, unknown>>;

/** Bytes of the object's JSON text in UTF-8. */
export const MAX_METADATA_BYTES = 16_384;

/** Far beyond what people nest, far below what exhausts a stack: V8's, or that of PostgreSQL's JSON parser. */
const MAX_METADATA_DEPTH = 64;

/**
 * Why `value` cannot be a tenant's metadata, as the end of a sentence that begins with its name; `undefined` when it
 * can. Metadata is a JSON object of at most 16,384 bytes, nested at most 64 deep, that PostgreSQL's `jsonb` can hold:
 * no NUL and no half of a surrogate pair in keys or texts.
 */
export function metadataProblem(value: unknown): string | undefined {
  return isJsonObject(value) ? jsonValueProblem(value) : 'must be a JSON object';
}

/** The same of any JSON value. */
export function jsonValueProblem(value: unknown): string | undefined {
  const problem = jsonProblem(value, 0);
  if (problem) return problem;
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes > MAX_METADATA_BYTES
    ? `must not be larger than ${MAX_METADATA_BYTES} bytes as JSON (it has ${bytes})`
    : undefined;
}

/**
 * `current` changed by an RFC 7386 merge patch: objects merge, `null` removes a key, anything else replaces.
 * Neither argument is changed. A key named `__proto__` is a key like any other and stays an own property, so no
 * prototype is ever touched.
 */
export function mergeMetadata(current: Metadata, patch: Metadata): Record<string, unknown> {
  // A Map, and Object.fromEntries to leave it: `result[key] = …` would set the prototype for `__proto__`.
  const merged = new Map(Object.entries(current));
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) merged.delete(key);
    else merged.set(key, mergeValue(merged.get(key), change));
  }
  return Object.fromEntries(merged);
}

function mergeValue(current: unknown, change: unknown): unknown {
  if (!isJsonObject(change)) return change;
  return mergeMetadata(isJsonObject(current) ? current : {}, change);
}

function isJsonObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Any realm's Object.prototype will do: objects of a vm context have another one.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function jsonProblem(value: unknown, depth: number): string | undefined {
  if (depth > MAX_METADATA_DEPTH) return `must not be nested deeper than ${MAX_METADATA_DEPTH} levels`;
  if (typeof value === 'string') return textProblem(value);
  if (value === null || typeof value === 'boolean' || Number.isFinite(value)) return undefined;
  if (Array.isArray(value)) return firstProblem(value, depth);
  if (isJsonObject(value)) return firstProblem([...Object.keys(value), ...Object.values(value)], depth);
  return 'must hold JSON values only (text, finite numbers, true, false, null, arrays, objects)';
}

function firstProblem(values: readonly unknown[], depth: number): string | undefined {
  for (const value of values) {
    const problem = jsonProblem(value, depth + 1);
    if (problem) return problem;
  }
  return undefined;
}

function textProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'must not contain a NUL character: PostgreSQL cannot store it';
  // With the u flag a whole pair is one character, so only a lone half matches.
  if (/[\ud800-\udfff]/u.test(text))
    return 'must not contain half of a surrogate pair: it is not Unicode text';
  return undefined;
}
