import { freezeDeeply } from './freeze-deeply';

describe('freezeDeeply', () => {
  it('gives the value itself, which nobody can change any more, at any depth', () => {
    const value = { list: [{ a: 1 }], nothing: null, date: new Date(5), inner: { deep: { deeper: [1] } } };
    expect(freezeDeeply(value)).toBe(value);
    for (const change of [
      () => Object.assign(value, { more: 1 }),
      () => value.list.push({ a: 2 }),
      () => (value.list[0].a = 2),
      () => value.inner.deep.deeper.pop(),
      () => delete (value as Partial<typeof value>).inner,
      () => value.date.setTime(0),
      () => value.date.setFullYear(2000),
      () => value.date.setUTCHours(1),
    ])
      expect(change).toThrow(TypeError);
    expect(value).toStrictEqual({
      list: [{ a: 1 }],
      nothing: null,
      date: new Date(5),
      inner: { deep: { deeper: [1] } },
    });
  });

  it('leaves a date a date, of which a copy may be changed', () => {
    const date = freezeDeeply({ at: new Date(5) }).at;
    expect([date instanceof Date, date.getTime(), JSON.stringify(date)]).toEqual([
      true,
      5,
      JSON.stringify(new Date(5)),
    ]);
    expect(structuredClone(date).setTime(6)).toBe(6);
    expect(new Date(date).setTime(6)).toBe(6);
  });

  it('looks into what was frozen on its surface alone', () => {
    const value = Object.freeze({ inner: { a: 1 } });
    expect(() => (freezeDeeply(value).inner.a = 2)).toThrow(TypeError);
  });

  it('follows own keys named __proto__ and constructor, and stops where it has been', () => {
    const hostile = JSON.parse('{"__proto__":{"a":[]},"constructor":{"prototype":{"b":1}}}') as Record<
      string,
      unknown
    >;
    const proto = Object.getOwnPropertyDescriptor(hostile, '__proto__')?.value as {
      a: unknown[];
      self?: unknown;
    };
    proto.self = hostile;
    freezeDeeply(hostile);
    expect(() => proto.a.push(1)).toThrow(TypeError);
    expect(() =>
      Object.assign((hostile.constructor as unknown as { prototype: object }).prototype, { b: 2 }),
    ).toThrow(TypeError);
    expect(Object.isFrozen(Object.prototype)).toBe(false);
  });

  it('goes 100,000 levels deep', () => {
    let innermost: unknown[] = [];
    const value = innermost;
    for (let depth = 0; depth < 100_000; depth += 1) innermost.push((innermost = []));
    // The deepest one is what the loop has left.
    freezeDeeply(value);
    expect(Object.isFrozen(innermost)).toBe(true);
  });

  it('reads no getter, and leaves instances of classes alone, but for the value itself', () => {
    class Service {
      calls = 0;
    }
    class Row {
      readonly service = new Service();
      readonly bytes = Buffer.from('abc');
      readonly metadata = { a: 1 };
    }
    const row = new Row();
    Object.defineProperty(row, 'lazy', {
      enumerable: true,
      get: () => {
        throw new Error('was read');
      },
    });
    freezeDeeply(row);
    row.service.calls += 1;
    expect(Object.isFrozen(row)).toBe(true);
    expect(() => (row.metadata.a = 2)).toThrow(TypeError);
  });

  it.each([undefined, null, 0, 'text', true, Symbol('x')])('gives %p as it is', (value) => {
    expect(freezeDeeply(value)).toBe(value);
  });
});
