import { isDate } from 'node:util/types';

/** In place of `Date.prototype`, for dates that everybody is given. */
const FROZEN_DATE: object = Object.create(
  Date.prototype,
  Object.fromEntries(
    Object.getOwnPropertyNames(Date.prototype)
      .filter((name) => name.startsWith('set'))
      .map((name) => [name, { value: refuseToSet }]),
  ),
) as object;

/**
 * `value`, which can no longer be changed, nor what it holds: whoever asks for it is given the same one. In place. Plain
 * objects, arrays and dates are followed, however deep they are; instances of classes within it are left alone.
 */
export function freezeDeeply<Value>(value: Value): Value {
  const seen = new Set<unknown>();
  // No recursion: 16 kB of JSON can be 8,000 levels deep.
  const waiting: unknown[] = typeof value === 'object' && value !== null ? [value] : [];
  while (waiting.length > 0) {
    const each = waiting.pop() as object;
    if (seen.has(each) || (each !== value && !isFollowed(each))) continue;
    seen.add(each);
    if (isDate(each)) Reflect.setPrototypeOf(each, FROZEN_DATE);
    // One after the other: all descriptors at once cost four times as much.
    for (const name of Object.getOwnPropertyNames(each)) {
      // Not by reading: a getter may do anything, such as load a relation.
      const held: unknown = Object.getOwnPropertyDescriptor(each, name)!.value;
      if (typeof held === 'object' && held !== null) waiting.push(held);
    }
    Object.freeze(each);
  }
  return value;
}

/** Of any realm: `structuredClone` in Jest makes objects of another one. */
function isFollowed(value: object): boolean {
  if (Array.isArray(value) || isDate(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A date's moment is no property, so freezing alone does not keep it. */
function refuseToSet(): never {
  throw new TypeError('This date is shared, so it cannot be changed. Change a copy: new Date(date).');
}
