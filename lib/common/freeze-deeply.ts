import { isDate } from 'node:util/types';

/** Replaces `Date.prototype` for dates that are shared, so that they cannot be set. */
const FROZEN_DATE: object = Object.create(
  Date.prototype,
  Object.fromEntries(
    Object.getOwnPropertyNames(Date.prototype)
      .filter((name) => name.startsWith('set'))
      .map((name) => [name, { value: refuseToSet }]),
  ),
) as object;

/**
 * Freezes `value` and all that it holds, in place, because every caller is given the same object. Plain
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
    // One descriptor at a time: getOwnPropertyDescriptors() takes four times as long.
    for (const name of Object.getOwnPropertyNames(each)) {
      // The property is not read, because a getter may do anything, such as load a relation.
      const held: unknown = Object.getOwnPropertyDescriptor(each, name)!.value;
      if (typeof held === 'object' && held !== null) waiting.push(held);
    }
    Object.freeze(each);
  }
  return value;
}

/** Plain objects of any realm: `structuredClone` in Jest makes those of another one. */
function isFollowed(value: object): boolean {
  if (Array.isArray(value) || isDate(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A date's moment is no property, so freezing alone does not keep it. */
function refuseToSet(): never {
  throw new TypeError('This date is shared, so it cannot be changed. Change a copy: new Date(date).');
}
