const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether `value` has the shape of a uuid of any version, in either case (RFC 9562 reads both). */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}
