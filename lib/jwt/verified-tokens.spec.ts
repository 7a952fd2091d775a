import { VerifiedTokens } from './verified-tokens';

const details = { type: 'access_token', subject: 'ann', name: 'ann', scopes: [], namesTenant: true } as const;
const ACME = { claims: { by: 'slug', value: 'acme' }, details } as const;
const NOTHING = { claims: undefined, details };

describe('verified tokens', () => {
  let now = 1_000_000;
  beforeEach(() => {
    jest.spyOn(Date, 'now').mockImplementation(() => now);
    jest.spyOn(performance, 'now').mockImplementation(() => now);
  });
  afterEach(() => jest.restoreAllMocks());

  it('are remembered with what they say, be it nothing', () => {
    const tokens = new VerifiedTokens(10, 1_000);
    tokens.set('a', now + 60_000, ACME);
    tokens.set('b', now + 60_000, NOTHING);
    expect(tokens.get('a')).toMatchObject(ACME);
    expect(tokens.get('b')).toMatchObject(NOTHING);
    expect(tokens.get('c')).toBeUndefined();
  });

  it('are forgotten after their time', () => {
    const tokens = new VerifiedTokens(10, 1_000);
    tokens.set('a', now + 60_000, ACME);
    now += 999;
    expect(tokens.get('a')).toBeDefined();
    now += 1;
    expect(tokens.get('a')).toBeUndefined();
  });

  it('are forgotten when they expire, if that is earlier', () => {
    const tokens = new VerifiedTokens(10, 1_000);
    tokens.set('a', now + 500, ACME);
    tokens.set('b', now, ACME);
    expect(tokens.get('b')).toBeUndefined();
    now += 499;
    expect(tokens.get('a')).toBeDefined();
    now += 1;
    expect(tokens.get('a')).toBeUndefined();
  });

  it('are no more than there is room for: the one unused longest goes', () => {
    const tokens = new VerifiedTokens(2, 1_000);
    for (const token of ['a', 'b']) tokens.set(token, now + 60_000, ACME);
    tokens.get('a');
    tokens.set('c', now + 60_000, ACME);
    expect(['a', 'b', 'c'].map((token) => tokens.get(token) !== undefined)).toEqual([true, false, true]);
  });

  it('are not remembered at all with a time of 0', () => {
    const tokens = new VerifiedTokens(10, 0);
    tokens.set('a', now + 60_000, ACME);
    expect(tokens.get('a')).toBeUndefined();
  });
});
