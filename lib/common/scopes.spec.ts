import { commonScopes, grants, isScope, missingScope } from './scopes';

describe('a scope', () => {
  it.each(['orders:read', 'orders:*', 'a:b', 'big-orders.v2:read_all', `o:${'r'.repeat(98)}`])(
    'can be %s',
    (scope) => expect(isScope(scope)).toBe(true),
  );

  it.each([
    ...[
      '',
      'orders',
      'orders:',
      ':read',
      '*',
      '*:*',
      '*:read',
      'orders:re*',
      'orders:read:all',
      'Orders:read',
    ],
    ...[' orders:read', 'orders:read\n', 'orders:read orders:write', 'оrders:read', 'orders:"', 'orders:\0'],
    ...[`o:${'r'.repeat(99)}`, 5, null, undefined, ['orders:read'], { length: 3 }],
  ])('is never %j', (scope) => expect(isScope(scope)).toBe(false));

  it('grants itself, and with a star all of its resource, the star too', () => {
    expect(grants(['orders:read'], 'orders:read')).toBe(true);
    expect(grants(['orders:*'], 'orders:read')).toBe(true);
    expect(grants(['orders:*'], 'orders:*')).toBe(true);
  });

  it.each([
    [[], 'orders:read'],
    [['orders:write'], 'orders:read'],
    [['orders:read'], 'orders:*'],
    [['orders:*'], 'order:read'],
    [['order:*'], 'orders:read'],
    [['orders:*'], 'orders'],
    [['orders:*'], '*'],
    [['orders'], 'orders:read'],
  ])('%j does not grant %s', (granted, wanted) => expect(grants(granted, wanted)).toBe(false));

  it.each(['orders:read', 'orders:*', 'orders', '*'])('of all is %s, too', (wanted) => {
    expect(grants(['*'], wanted)).toBe(true);
  });

  it.each([
    [['*'], ['orders:read', 'keys:*'], ['keys:*', 'orders:read']],
    [
      ['orders:*', 'keys:read'],
      ['orders:read', 'keys:*'],
      ['keys:read', 'orders:read'],
    ],
    [['orders:*'], ['orders:*'], ['orders:*']],
    [['orders:*'], ['openid', 'email'], []],
    [['orders:read'], [], []],
  ])('%j and %j have in common %j', (one, other, common) => {
    expect(commonScopes(one, other)).toEqual(common);
    expect(commonScopes(other, one)).toEqual(common);
  });

  it('that is missing is named', () => {
    expect(missingScope(['orders:*'], ['orders:read', 'keys:write', 'keys:read'])).toBe('keys:write');
    expect(missingScope(['orders:*'], ['orders:read'])).toBeUndefined();
  });
});
