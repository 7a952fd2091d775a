import fc from 'fast-check';
import { fakeRequest } from '../../../test/support/fake-request';
import { normalizeClaim } from '../../registry/claim';
import { fromCookie } from './from-cookie';
import { toTenantRequest } from '../http/tenant-request';
import type { RequestClaim } from './tenant-resolver';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const NOBODY = { by: 'slug', value: '' };

function claim(cookies: string | readonly string[], name = 'tenant') {
  const headers = [cookies].flat().flatMap((cookie) => ['Cookie', cookie]);
  return fromCookie(name)(toTenantRequest(fakeRequest('/', headers))) as RequestClaim | undefined;
}

describe('fromCookie', () => {
  it.each([
    'tenant=acme',
    'a=1; tenant=acme; b=2',
    ' tenant = acme ',
    'a;tenant=acme',
    'tenant=%61cme',
    'tenant=acme;',
  ])('claims the slug in %j', (cookie) => {
    expect(claim(cookie)).toEqual({ by: 'slug', value: 'acme' });
  });

  it('claims an id for a value shaped like a uuid', () => {
    expect(claim(`tenant=${ID}`)).toEqual({ by: 'id', value: ID });
  });

  it('reads a name that a subdomain cannot plant', () => {
    expect(claim('__Host-tenant=acme', '__Host-tenant')).toEqual({ by: 'slug', value: 'acme' });
  });

  it('makes no claim without cookies', () => {
    expect(claim([])).toBeUndefined();
  });

  it.each([
    '',
    'a=1',
    'Tenant=acme',
    'xtenant=acme',
    'tenantx=acme',
    'tenant',
    'a=tenant=acme',
    '; ;=;==',
    'a=tenant',
  ])('makes no claim of %j', (cookie) => {
    expect(claim(cookie)).toBeUndefined();
  });

  it.each([
    ['twice', 'tenant=acme; tenant=globex'],
    ['twice with one value', 'tenant=acme; tenant=acme'],
    ['twice, once empty', 'tenant=; tenant=acme'],
    ['in two headers', ['tenant=acme', 'tenant=globex']],
    ['empty', 'tenant='],
  ])('makes a claim that names nobody of the cookie %s', (_case, cookies) => {
    expect(claim(cookies)).toEqual(NOBODY);
  });

  it.each([
    '"acme"',
    'acme,globex',
    '%00',
    '%zz',
    '%E0%A4%A',
    '../acme',
    's:acme.signature',
    'аcme',
    'ACME',
    "'--",
  ])('names nobody by %s', (value) => {
    expect(normalizeClaim(claim(`tenant=${value}`) as RequestClaim)).toBeUndefined();
  });

  it('finds its cookie among 8 kB of others, and names nobody by one of 8 kB', () => {
    const others = Array.from({ length: 400 }, (_, n) => `tenant${n}=${'x'.repeat(10)}`).join('; ');
    expect(others.length).toBeGreaterThan(8_000);
    expect(claim(`${others}; tenant=acme`)).toEqual({ by: 'slug', value: 'acme' });
    expect(normalizeClaim(claim(`tenant=${'a'.repeat(8_192)}`) as RequestClaim)).toBeUndefined();
    expect(claim(`${'tenant=a;'.repeat(1_000)}`)).toEqual(NOBODY);
  });

  it.each(['constructor', '__proto__', 'toString'])('makes no claim of what objects inherit: %s', (name) => {
    expect(claim('a=1', name)).toBeUndefined();
  });

  it.each(['', 'a b', 'a=b', 'a;b', 'tenänt', undefined])('refuses the name %j', (name) => {
    expect(() => fromCookie(name as string)).toThrow(TypeError);
  });

  it('reads 100,000 headers without a crash, and claims just what one cookie of the name says', () => {
    const word = fc.oneof(fc.constantFrom('tenant', 'acme', ID, ''), fc.stringMatching(/^[a-z%="]{0,4}$/));
    const name = fc.oneof(fc.constantFrom('tenant', 'tenants', 'a'), fc.stringMatching(/^[a-zA-Z]{1,3}$/));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, word), { maxLength: 5 }),
        fc.array(fc.constantFrom('tenant', '=', ';', ' ', '%', '"', '\t', 'é', '\0', ','), { maxLength: 10 }),
        (cookies, noise) => {
          const values = cookies.filter(([key]) => key === 'tenant').map(([, value]) => value);
          const read = claim(cookies.map((pair) => pair.join('=')).join('; '))?.value;
          const expected = values.length === 0 ? undefined : values.length === 1 ? values[0] : '';
          const isThere = !claim(noise.join('')) || /(?:^|;)[ \t]*tenant[ \t]*=/.test(noise.join(''));
          return isThere && (read === expected || (values.length === 1 && values[0].includes('%')));
        },
      ),
      { numRuns: 100_000 },
    );
  });
});
