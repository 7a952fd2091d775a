import fc from 'fast-check';
import { fakeRequest } from '../../../test/support/fake-request';
import { normalizeClaim } from '../../registry/claim';
import { fromQuery } from './from-query';
import { toTenantRequest } from '../http/tenant-request';
import type { RequestClaim } from './tenant-resolver';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const NOBODY = { by: 'slug', value: '' };

function claim(url: string, name = 'tenant') {
  return fromQuery(name)(toTenantRequest(fakeRequest(url))) as RequestClaim | undefined;
}

describe('fromQuery', () => {
  it.each([
    '/?tenant=acme',
    '/orders?page=2&tenant=acme',
    '/?tenant=%61cme',
    '/?ten%61nt=acme',
    '?tenant=acme',
  ])('claims the slug in %s', (url) => {
    expect(claim(url)).toEqual({ by: 'slug', value: 'acme' });
  });

  it('claims an id for a value shaped like a uuid', () => {
    expect(claim(`/?tenant=${ID}`)).toEqual({ by: 'id', value: ID });
  });

  it.each([
    '/',
    '',
    '/?',
    '/?page=2',
    '/?Tenant=acme',
    '/?tenant[]=acme',
    '/?tenant[slug]=acme',
    '/?tenant%00=acme',
    '/tenant=acme',
    '/#?tenant=acme',
    '/?a=1#&tenant=acme',
  ])('makes no claim of %s', (url) => {
    expect(claim(url)).toBeUndefined();
  });

  it.each([
    '/?tenant=acme&tenant=globex',
    '/?tenant=acme&tenant=acme',
    '/?tenant=acme&tenant',
    '/?tenant=acme&ten%61nt=globex',
    '/?tenant=',
    '/?tenant',
  ])('makes a claim that names nobody of %s', (url) => {
    expect(claim(url)).toEqual(NOBODY);
  });

  it.each(['acme;tenant=globex', 'acme+', '%00', 'acme%00', '%ff', '%zz', '../acme', '%2525', 'аcme', "'--"])(
    'names nobody by %s',
    (value) => {
      expect(normalizeClaim(claim(`/?tenant=${value}`) as RequestClaim)).toBeUndefined();
    },
  );

  it.each(['constructor', '__proto__', 'toString'])('makes no claim of what objects inherit: %s', (name) => {
    expect(claim('/', name)).toBeUndefined();
  });

  it.each(['', undefined, 5])('refuses the name %j', (name) => {
    expect(() => fromQuery(name as string)).toThrow(TypeError);
  });

  it('reads 100,000 queries without a crash, and claims just what one parameter of the name says', () => {
    const text = fc.oneof(
      fc.constantFrom('tenant', 'tenant[]', 'Tenant', 'acme', ID, ''),
      fc.string({ maxLength: 4 }),
    );
    const pairs = fc.array(fc.tuple(text, text), { maxLength: 4 });
    fc.assert(
      fc.property(pairs, fc.string({ unit: 'binary', maxLength: 6 }), (given, noise) => {
        const query = given.map(
          ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
        );
        const values = given.filter(([name]) => name === 'tenant').map(([, value]) => value);
        const expected = values.length === 0 ? undefined : values.length === 1 ? values[0] : '';
        const hostile = claim(`/${noise}?${noise}&${noise}=${noise}`);
        const isThere = !hostile || /tenant|%|&/.test(noise);
        return isThere && claim(`/?${query.join('&')}`)?.value === expected;
      }),
      { numRuns: 100_000 },
    );
  });
});
