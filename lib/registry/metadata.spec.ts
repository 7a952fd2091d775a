import fc from 'fast-check';
import { MAX_METADATA_BYTES, mergeMetadata, metadataProblem } from './metadata';

const nested = (levels: number): unknown => JSON.parse(`{"a":`.repeat(levels) + '1' + '}'.repeat(levels));

describe('metadata', () => {
  it.each([
    [{}],
    [{ plan: 'pro', seats: 3, trial: false, until: null, tags: ['a', { b: [] }] }],
    [{ '': 'Größe 東京 🚀' }],
    [JSON.parse('{"__proto__":{"a":1}}')],
    [Object.create(null)],
    [nested(64)],
    [{ a: 'x'.repeat(MAX_METADATA_BYTES - '{"a":""}'.length) }],
  ])('may be a JSON object (%#)', (value) => {
    expect(metadataProblem(value)).toBeUndefined();
  });

  it.each([[undefined], [null], ['{}'], [1], [[]], [new Date()], [new Map()]])('may not be %p', (value) => {
    expect(metadataProblem(value)).toBe('must be a JSON object');
  });

  it.each([
    [{ a: undefined }],
    [{ a: NaN }],
    [{ a: [Infinity] }],
    [{ a: 1n }],
    [{ a: () => 1 }],
    [{ a: Symbol('a') }],
    [{ a: new Date() }],
  ])('may not hold what JSON has no word for (%#)', (value) => {
    expect(metadataProblem(value)).toMatch(/^must hold JSON values only/);
  });

  it('may have 16,384 bytes as JSON, counted in UTF-8', () => {
    expect(metadataProblem({ a: 'x'.repeat(MAX_METADATA_BYTES) })).toBe(
      'must not be larger than 16384 bytes as JSON (it has 16392)',
    );
    expect(metadataProblem({ a: 'é'.repeat(8_188) })).toBeUndefined();
    expect(metadataProblem({ a: 'é'.repeat(8_189) })).toMatch(/larger/);
  });

  it('may not hold what PostgreSQL refuses: a NUL, half of a surrogate pair', () => {
    expect(metadataProblem({ a: ['b\0'] })).toMatch(/NUL/);
    expect(metadataProblem({ 'a\0': 1 })).toMatch(/NUL/);
    expect(metadataProblem({ a: '\ud83d' })).toMatch(/surrogate/);
    expect(metadataProblem({ '\ude80': 1 })).toMatch(/surrogate/);
  });

  it('may be nested 64 deep; deeper, or in circles, it is refused before a stack overflows', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    for (const value of [nested(66), nested(100_000), circle]) {
      expect(metadataProblem(value)).toBe('must not be nested deeper than 64 levels');
    }
  });
});

describe('a merge patch', () => {
  // RFC 7386, appendix A: the cases whose target and patch are objects.
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('turns %j by %j into %j', (current, patch, merged) => {
    expect(mergeMetadata(current, patch)).toEqual(merged);
  });

  it('changes neither of its arguments', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (current, patch) => {
          const before = JSON.stringify([current, patch]);
          mergeMetadata(current, patch);
          expect(JSON.stringify([current, patch])).toBe(before);
        },
      ),
    );
  });

  it('treats __proto__ as a key like any other and touches no prototype', () => {
    const patch = JSON.parse(
      '{"__proto__":{"polluted":true},"a":{"__proto__":{"polluted":true}},"constructor":{"prototype":{"polluted":true}}}',
    );
    for (const merged of [
      mergeMetadata({}, patch),
      mergeMetadata(patch, patch),
      mergeMetadata({ a: {} }, patch),
    ]) {
      expect(JSON.parse(JSON.stringify(merged))).toEqual(patch);
      expect(Object.keys(merged)).toContain('__proto__');
      expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
      expect(Object.getPrototypeOf(merged.a)).toBe(Object.prototype);
      expect((merged as { polluted?: unknown }).polluted).toBeUndefined();
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(mergeMetadata(patch, JSON.parse('{"__proto__":null,"a":null,"constructor":null}'))).toEqual({});
  });
});
