import fc from 'fast-check';
import { fingerprintOf } from './idempotency-fingerprint';

const same = (one: unknown, other: unknown) => fingerprintOf(one).equals(fingerprintOf(other));
const parsed = (text: string): unknown => JSON.parse(text);

describe('the fingerprint of a body', () => {
  it('does not depend on the order of keys, at any depth', () => {
    expect(same({ a: 1, b: { c: 2, d: [{ e: 3, f: 4 }] } }, { b: { d: [{ f: 4, e: 3 }], c: 2 }, a: 1 })).toBe(
      true,
    );
  });

  it('is that of an object without fields when there is no body', () => {
    expect(same(undefined, {})).toBe(true);
    expect(same(null, {})).toBe(true);
  });

  it.each([
    ['a value', { a: 1 }, { a: 2 }],
    ['a type', { a: 1 }, { a: '1' }],
    ['a missing key', { a: 1 }, { a: 1, b: null }],
    ['an order of elements', { a: [1, 2] }, { a: [2, 1] }],
    ['a place of a key', { a: { b: 1 } }, { a: {}, b: 1 }],
    ['an object for a list', { a: {} }, { a: [] }],
    ['a quote', { a: '","b":"' }, { a: '', b: '' }],
    ['__proto__', parsed('{"__proto__":{"a":1}}'), {}],
    ['__proto__ within', parsed('{"m":{"__proto__":1}}'), parsed('{"m":{"__proto__":2}}')],
    ['a constructor', { constructor: 1 }, {}],
    ['look-alikes', { a: 'e\u0301' }, { a: '\u00e9' }],
  ])('differs by %s', (_case, one, other) => {
    expect(same(one, other)).toBe(false);
  });

  it('is the same for what is written differently and means the same, and for nothing else', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.jsonValue({ maxDepth: 5 }), (one, other) => {
        const [first, second] = [parsed(JSON.stringify({ v: one })), parsed(JSON.stringify({ v: other }))];
        expect(same(first, parsed(JSON.stringify(first)))).toBe(true);
        expect(same(first, second)).toBe(canonical(first) === canonical(second));
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses to go deeper than 100 levels, whatever is there', () => {
    const nested = (levels: number) => parsed('['.repeat(levels) + ']'.repeat(levels));
    expect(fingerprintOf(nested(100))).toHaveLength(32);
    for (const levels of [102, 50_000]) {
      expect(() => fingerprintOf(nested(levels))).toThrow(
        expect.objectContaining({ code: 'VALIDATION_FAILED' }),
      );
    }
  });
});

/** By another way: keys sorted by JSON's own list of them. */
function canonical(value: unknown): string {
  const keys: string[] = [];
  JSON.stringify(value, (key, each: unknown) => (keys.push(key), each));
  return JSON.stringify(value, [...new Set(keys)].sort());
}
