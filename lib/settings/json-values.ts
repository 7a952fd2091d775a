/** The JSON type of a value: `null`, `array`, or what `typeof` returns. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
