import { isTypePattern, isTypePatterns, likePatterns, matchesType } from './type-patterns';

describe('a pattern for types of events', () => {
  it.each(['order.shipped', 'order.*', '*', 'api-key.created', 'order.line.added', 'order.line.*', 'a'])(
    'may be %s',
    (pattern) => expect(isTypePattern(pattern)).toBe(true),
  );

  it.each([
    ...[
      '',
      '.',
      '**',
      'order*',
      'order.',
      '.order',
      'order..x',
      'Order.shipped',
      'order.*.x',
      '*.shipped',
      'or%er',
    ],
    ...['order_x', 'order.shipped\n', `${'a'.repeat(99)}.b`, 'ordér', '-a', 'a-', 5, null, ['order.*']],
  ])('cannot be %j', (pattern) => expect(isTypePattern(pattern)).toBe(false));

  it('is one of at most 50', () => {
    expect(isTypePatterns(Array(50).fill('a.*'))).toBe(true);
    expect(isTypePatterns(Array(51).fill('a.*'))).toBe(false);
    expect(isTypePatterns('a.*')).toBe(false);
  });

  it.each([
    ['order.shipped', ['order.*'], true],
    ['order.shipped', ['order.shipped'], true],
    ['order.shipped-twice', ['order.shipped'], false],
    ['orders.shipped', ['order.*'], false],
    ['order', ['order.*'], false],
    ['order.line.added', ['order.*'], true],
    ['order.shipped', ['a.b', 'order.*'], true],
    ['order.shipped', ['*'], true],
    ['order.shipped', [], true],
  ])('finds %s in %j: %s, and as PostgreSQL would', (type, patterns, expected) => {
    expect(matchesType(type, patterns)).toBe(expected);
    const asLike = likePatterns(patterns).some((like) =>
      new RegExp(`^${like.replaceAll('.', '\\.').replaceAll('%', '.*')}$`).test(type),
    );
    expect(asLike).toBe(expected);
  });
});
