import { inspect } from 'node:util';
import { CarriedTokenError } from './carried.errors';
import { carryKeysOf, claimedTenantId, isCarryKeys, readCarried, signCarried } from './carried-token';

const OLD = { id: '2025', secret: 'an old secret of thirty-two characters' };
const NEW = { id: '2026', secret: 'a new secret of thirty-two characters!' };
const ACME = '01890a5d-ac96-774b-bcce-b302099a8057';
const GLOBEX = '01890a5d-ac96-774b-bcce-b302099a8058';
const NOW = 1_790_000_000_000;
const claims = { tenantId: ACME, purpose: 'mail', issuedAt: NOW };

const problemOf = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    expect(error).toBeInstanceOf(CarriedTokenError);
    return (error as CarriedTokenError).problem;
  }
};
const read = (
  token: unknown,
  expected: { purpose?: string; payload?: string } = {},
  now = NOW,
  keys = [NEW, OLD],
) => problemOf(() => readCarried(keys, token, { purpose: 'mail', ...expected }, now));

describe('the token of a carried tenant', () => {
  const token = signCarried(NEW, claims);

  it('gives the tenant back, in some hundred characters', () => {
    expect(read(token)).toEqual({ tenantId: ACME, issuedAt: NOW });
    expect(token.length).toBeLessThan(150);
    expect(claimedTenantId(token)).toBe(ACME);
    const longest = { ...claims, purpose: 'ü'.repeat(33), payload: 'x', expiresAt: NOW };
    expect(signCarried({ ...NEW, id: 'k'.repeat(32) }, longest).length).toBeLessThan(512);
  });

  it('is good with each of several keys, and no more when its key is gone', () => {
    expect(read(signCarried(OLD, claims))).toMatchObject({ tenantId: ACME });
    expect(read(signCarried(OLD, claims), {}, NOW, [NEW])).toBe('key');
    expect(read(signCarried({ ...OLD, secret: NEW.secret }, claims))).toBe('signature');
  });

  it('is refused for another purpose, also one that begins alike or looks like two', () => {
    for (const purpose of ['mails', 'mai', 'mail:', 'Mail']) expect(read(token, { purpose })).toBe('purpose');
    expect(read(signCarried(NEW, { ...claims, purpose: 'a:b/ü' }), { purpose: 'a:b/ü' })).toMatchObject({});
    for (const purpose of ['', 'x'.repeat(201)])
      expect(() => signCarried(NEW, { ...claims, purpose })).toThrow(TypeError);
  });

  it('goes with the payload that it was signed with, and with no other', () => {
    const bound = signCarried(NEW, { ...claims, payload: '{"a":1}' });
    expect(read(bound, { payload: '{"a":1}' })).toMatchObject({ tenantId: ACME });
    for (const payload of ['{"a":2}', '', undefined]) expect(read(bound, { payload })).toBe('payload');
    expect(read(token, { payload: '{"a":1}' })).toBe('payload');
    expect(
      readCarried([NEW], bound, { purpose: 'mail', payload: Buffer.from('{"a":1}') }, NOW),
    ).toMatchObject({});
  });

  it('expires, 30 s later than its clock says', () => {
    const brief = signCarried(NEW, { ...claims, expiresAt: NOW + 1_000 });
    expect(read(brief, {}, NOW + 31_000)).toMatchObject({ tenantId: ACME });
    expect(read(brief, {}, NOW + 31_001)).toBe('expired');
    expect(read(token, {}, NOW * 2)).toMatchObject({ tenantId: ACME });
  });

  it('is refused with each of its characters changed, and with each of its ends cut off', () => {
    const other = (character: string) => (character === '0' ? '1' : '0');
    for (let at = 0; at < token.length; at++) {
      const edited = token.slice(0, at) + other(token[at]) + token.slice(at + 1);
      expect(['malformed', 'version', 'key', 'signature']).toContain(read(edited));
      expect(read(token.slice(0, at))).toBe('malformed');
    }
    expect(read(token.replace(ACME, GLOBEX))).toBe('signature');
    expect(read(`${token}x`)).toBe('malformed');
    expect(read(token.replace('tc1', 'tc2'))).toBe('version');
  });

  it.each<[string, unknown]>([
    ...[undefined, null, 1, {}, [], '', '\0', 'tc1:::::::'].map(
      (given) => [inspect(given), given] as [string, unknown],
    ),
    ['a megabyte', 'x'.repeat(1e6)],
    ['longer than any', `tc1:${'a'.repeat(509)}`],
  ])('is refused when it is %s', (_name, given) => {
    expect(read(given)).toBe('malformed');
    expect(claimedTenantId(given)).toBeUndefined();
  });
});

describe('keys of carried tenants', () => {
  it('are read from a variable', () => {
    expect(carryKeysOf(`${NEW.id}:${NEW.secret}, ${OLD.id}:${OLD.secret}`)).toEqual([NEW, OLD]);
    expect(carryKeysOf(`1:${':'.repeat(32)}`)).toEqual([{ id: '1', secret: ':'.repeat(32) }]);
    for (const text of ['', 'short', '1:short', `${NEW.secret}`, `1:${NEW.secret},1:${OLD.secret}`])
      expect(carryKeysOf(text)).toBeUndefined();
  });

  it.each([
    [[]],
    [[null]],
    [[{ id: '', secret: NEW.secret }]],
    [[NEW, { ...OLD, id: NEW.id }]],
    ['x'],
    [[{ id: 'a:b', secret: NEW.secret }]],
  ])('are not %j', (keys) => expect(isCarryKeys(keys)).toBe(false));
});
