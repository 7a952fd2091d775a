/** `null`, `array`, or what `typeof` says. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** `value`, which nobody can change any more: it is shared by all who ask. */
export function freezeDeeply<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const each of Object.values(value)) freezeDeeply(each);
  return Object.freeze(value);
}
