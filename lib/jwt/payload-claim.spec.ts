import fc from 'fast-check';
import { payloadClaim } from './payload-claim';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const NOBODY = { by: 'slug', value: '' };

describe('the claim of a payload', () => {
  it('is a slug, or an id if it is shaped like a uuid', () => {
    expect(payloadClaim({ claim: 'tenant' })({ tenant: 'acme' })).toEqual({ by: 'slug', value: 'acme' });
    expect(payloadClaim({ claim: 'tenant' })({ tenant: ID })).toEqual({ by: 'id', value: ID });
  });

  it('is what it is said to hold', () => {
    expect(payloadClaim({ claim: 'tenant', by: 'slug' })({ tenant: ID })).toEqual({ by: 'slug', value: ID });
    expect(payloadClaim({ claim: 'tenant', by: 'id' })({ tenant: 'acme' })).toEqual({
      by: 'id',
      value: 'acme',
    });
  });

  it('is found within others, or under a name with dots', () => {
    expect(payloadClaim({ claim: 'org.tenant' })({ org: { tenant: 'acme' } })).toEqual({
      by: 'slug',
      value: 'acme',
    });
    const named = payloadClaim({ claim: ['https://example.com/org', 'tenant'] });
    expect(named({ 'https://example.com/org': { tenant: 'acme' } })).toEqual({ by: 'slug', value: 'acme' });
  });

  it.each([
    {},
    { org: null },
    { org: 'acme' },
    { org: {} },
    { org: { tenant: null } },
    { 'org.tenant': 'acme' },
  ])('is not there in %j, unless it is required: then it names nobody', (payload) => {
    expect(payloadClaim({ claim: 'org.tenant' })(payload)).toBeUndefined();
    expect(payloadClaim({ claim: 'org.tenant', requireClaim: true })(payload)).toEqual(NOBODY);
  });

  it('that may be a list names all of them, and one is as good as a text', () => {
    const read = payloadClaim({ claim: 'tenants', several: true });
    expect(read({ tenants: ['acme', ID] })).toEqual([
      { by: 'slug', value: 'acme' },
      { by: 'id', value: ID },
    ]);
    for (const tenants of [['acme'], 'acme'])
      expect(read({ tenants })).toEqual({ by: 'slug', value: 'acme' });
    for (const tenants of [[], ['acme', 5], [['acme']], {}]) expect(read({ tenants })).toEqual(NOBODY);
  });

  it.each([5, 0, true, false, '', [], ['acme'], {}, { slug: 'acme' }])(
    'that is %j names nobody',
    (tenant) => {
      expect(payloadClaim({ claim: 'tenant' })({ tenant })).toEqual(NOBODY);
    },
  );

  it.each(['constructor', 'constructor.name', '__proto__', 'toString', 'tenant.length'])(
    'is never what objects inherit: %s',
    (claim) => {
      expect(payloadClaim({ claim })({ tenant: 'acme' })).toBeUndefined();
    },
  );

  it('is read from 100,000 payloads without a crash, and is never one that was not there', () => {
    const key = fc.constantFrom('org', 'tenant', '__proto__', 'constructor', 'length', '0');
    const payload = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<unknown>('acme', ID, '', null, 5, true, undefined),
        fc.array(tie('node'), { maxLength: 2 }),
        fc.dictionary(key, tie('node'), { maxKeys: 3 }),
      ),
    })).node;
    const read = payloadClaim({ claim: 'org.tenant' });
    fc.assert(
      fc.property(fc.dictionary(key, payload, { maxKeys: 3 }), (body) => {
        const parsed = JSON.parse(JSON.stringify(body)) as Record<string, unknown>;
        const claims = read(parsed);
        const text = JSON.stringify(parsed);
        if (claims === undefined) return true;
        const values = [claims].flat().map(({ value }) => value);
        return (
          text.includes('"tenant":') && values.every((value) => value === '' || text.includes(`"${value}"`))
        );
      }),
      { numRuns: 100_000 },
    );
  });
});
