import type { NewTenant, TenantUpdate, TenantStore } from '../registry/store/tenant.store';
import type { Tenant, TenantClaim, TenantStatus } from '../registry/tenant';

/** The part of Jest's globals that is used here. Vitest has it, too, with its option `globals`. */
interface TestGlobals {
  describe(name: string, define: () => void): void;
  it(name: string, test: () => Promise<void>): void;
  beforeEach(prepare: () => Promise<void>): void;
  expect(actual: unknown): Matchers & { readonly resolves: AsyncMatchers; readonly rejects: AsyncMatchers };
}

type Matchers = Record<
  'toEqual' | 'toBe' | 'toMatchObject' | 'toBeGreaterThanOrEqual',
  (expected: unknown) => void
>;
type AsyncMatchers = Record<'toEqual' | 'toBe' | 'toMatchObject', (expected: unknown) => Promise<void>>;

const SLUG_TAKEN = { code: 'TENANT_SLUG_TAKEN', statusCode: 409 };
const DOMAIN_TAKEN = { code: 'DOMAIN_TAKEN', statusCode: 409 };
const SCHEMA_TAKEN = { code: 'SCHEMA_NAME_TAKEN', statusCode: 409 };

/** A well-formed id that no test inserts. */
const NOBODY = id(0xffff);

/**
 * Defines tests that check whether a `TenantStore` keeps every promise of the port. Call it in a test file of Jest, or
 * of Vitest with `globals: true`: it uses the global `describe`, `it`, `beforeEach` and `expect`.
 *
 * `makeStore` is called before each test and returns a store without tenants. Close what it opens in hooks of your own.
 */
export function runTenantStoreContract(
  name: string,
  makeStore: () => TenantStore | Promise<TenantStore>,
): void {
  const { describe, it, beforeEach, expect } = globalThis as unknown as TestGlobals;
  let store: TenantStore;

  const find = (by: TenantClaim['by'], value: string) => store.find({ by, value });
  const idsOf = (tenants: readonly Tenant[]) => tenants.map((tenant) => tenant.id);

  describe(`${name} keeps the promises of a TenantStore`, () => {
    beforeEach(async () => {
      store = await makeStore();
    });

    describe('insert and find', () => {
      it('finds a tenant by slug, by id and by each of its domains', async () => {
        const acme = await store.insert(newTenant(1, { domains: ['acme.example', 'shop.acme.example'] }));
        await store.insert(newTenant(2, { domains: ['globex.example'] }));
        for (const found of [
          await find('slug', 'tenant-1'),
          await find('id', id(1)),
          await find('domain', 'acme.example'),
          await find('domain', 'shop.acme.example'),
        ]) {
          expect(found).toEqual(acme);
        }
      });

      it('answers with what was given, domains sorted, and dates in milliseconds', async () => {
        const before = Date.now();
        const given = newTenant(1, {
          domains: ['b.example', 'a.example', 'b.example'],
          status: 'provisioning',
          templateVersion: null,
          schemaVersion: null,
        });
        const { createdAt, updatedAt, ...kept } = await store.insert(given);
        expect(kept).toEqual({
          ...given,
          domains: ['a.example', 'b.example'],
          statusReason: null,
          deletedFrom: null,
          version: 1,
        });
        expect(Object.prototype.toString.call(createdAt)).toBe('[object Date]');
        expect(updatedAt).toEqual(createdAt);
        // The times may come from another machine's clock.
        expect(Math.abs(createdAt.getTime() - before) < 60_000).toBe(true);
        const found = await find('id', given.id);
        expect(found?.createdAt.getTime()).toBe(createdAt.getTime());
      });

      it('finds a tenant whatever its status', async () => {
        for (const [index, status] of (
          ['provisioning', 'active', 'suspended', 'deleted'] as const
        ).entries()) {
          await store.insert(newTenant(index, { status }));
          expect((await find('slug', `tenant-${index}`))?.status).toBe(status);
        }
      });

      it('answers undefined for a name that nobody has', async () => {
        await store.insert(newTenant(1, { domains: ['acme.example'] }));
        expect(await find('slug', 'tenant-2')).toBe(undefined);
        expect(await find('id', NOBODY)).toBe(undefined);
        expect(await find('domain', 'example')).toBe(undefined);
        expect(await find('domain', 'www.acme.example')).toBe(undefined);
      });

      it('answers undefined, and nothing else, for every malformed claim', async () => {
        await store.insert(newTenant(1, { slug: 'acme', domains: ['acme.example'] }));
        for (const value of MALFORMED) {
          expect(await find('slug', value)).toBe(undefined);
          expect(await find('id', value)).toBe(undefined);
          expect(await find('domain', value)).toBe(undefined);
        }
      });

      it('compares slugs as they are, ids and domains without regard to case', async () => {
        const acme = await store.insert(newTenant(0xabc, { slug: 'acme', domains: ['acme.example'] }));
        expect(await find('slug', 'ACME')).toBe(undefined);
        expect(await find('id', id(0xabc).toUpperCase())).toEqual(acme);
        expect(await find('domain', 'Acme.EXAMPLE')).toEqual(acme);
      });

      it('keeps a name of any text', async () => {
        for (const [index, text] of TEXTS.entries()) {
          await store.insert(newTenant(index, { name: text }));
          expect((await find('id', id(index)))?.name).toBe(text);
        }
      });

      it('keeps metadata of any JSON, down to a key named __proto__', async () => {
        const inserted = await store.insert(newTenant(1, { metadata: METADATA }));
        const found = await find('id', id(1));
        expect(canonical(inserted.metadata)).toBe(canonical(METADATA));
        expect(canonical(found?.metadata)).toBe(canonical(METADATA));
        expect(Object.keys(found?.metadata ?? {}).includes('__proto__')).toBe(true);
        expect('polluted' in {}).toBe(false);
      });

      it('keeps metadata of 16 kB', async () => {
        const metadata = { note: 'é'.repeat(8_186) };
        await store.insert(newTenant(1, { metadata }));
        expect((await find('id', id(1)))?.metadata).toEqual(metadata);
      });
    });

    describe('findMany', () => {
      it('answers each claim in its place, as find does', async () => {
        const acme = await store.insert(newTenant(1, { domains: ['acme.example', 'shop.acme.example'] }));
        const globex = await store.insert(newTenant(0xabc, { slug: 'globex', status: 'suspended' }));
        const claims: TenantClaim[] = [
          { by: 'slug', value: 'nobody' },
          { by: 'slug', value: 'globex' },
          { by: 'id', value: id(1) },
          { by: 'id', value: id(0xabc).toUpperCase() },
          { by: 'id', value: NOBODY },
          { by: 'domain', value: 'Shop.ACME.example' },
          { by: 'domain', value: 'globex' },
          { by: 'slug', value: 'tenant-1' },
          { by: 'slug', value: 'globex' },
          { by: 'slug', value: id(1) },
        ];
        expect(await store.findMany(claims)).toEqual([
          ...[undefined, globex, acme, globex, undefined, acme, undefined, acme, globex],
          undefined,
        ]);
        for (const claim of claims) {
          expect(await store.findMany([claim])).toEqual([await store.find(claim)]);
        }
      });

      it('answers none to no claim, and 500 to 500', async () => {
        await store.insert(newTenant(1));
        expect(await store.findMany([])).toEqual([]);
        for (const by of ['slug', 'id', 'domain'] as const) {
          const values = { slug: 'tenant-1', id: id(1), domain: 'none.example' };
          const claims = Array.from({ length: 500 }, (_, index) => ({
            by,
            value:
              index === 250
                ? values[by]
                : { slug: `x${index}`, id: id(index + 0x1000), domain: `x${index}.example` }[by],
          }));
          const found = await store.findMany(claims);
          expect(found.length).toBe(500);
          expect(found.filter((tenant) => tenant !== undefined).length).toBe(by === 'domain' ? 0 : 1);
          expect(found[250]?.slug).toBe(by === 'domain' ? undefined : 'tenant-1');
        }
      });

      it('answers undefined, and nothing else, for every malformed claim beside good ones', async () => {
        const acme = await store.insert(newTenant(1, { slug: 'acme', domains: ['acme.example'] }));
        const malformed = (['slug', 'id', 'domain'] as const).flatMap((by) =>
          MALFORMED.map((value) => ({ by, value })),
        );
        const nobody = malformed.map(() => undefined);
        expect(await store.findMany(malformed)).toEqual(nobody);
        expect(await store.findMany([...malformed, { by: 'slug', value: 'acme' }])).toEqual([
          ...nobody,
          acme,
        ]);
      });
    });

    describe('names are unique', () => {
      it('refuses a slug that another tenant has, whatever its status', async () => {
        await store.insert(newTenant(1, { slug: 'acme', status: 'deleted' }));
        await expect(store.insert(newTenant(2, { slug: 'acme' }))).rejects.toMatchObject({
          ...SLUG_TAKEN,
          slug: 'acme',
        });
        expect(await find('id', id(2))).toBe(undefined);
      });

      it('lets one of eight inserts of one slug win when they come at once', async () => {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 8 }, (_, index) => store.insert(newTenant(index, { slug: 'acme' }))),
        );
        const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
        expect(lost.length).toBe(7);
        for (const { reason } of lost) expect(reason).toMatchObject(SLUG_TAKEN);
        expect((await store.list({ limit: 100 })).length).toBe(1);
      });

      it('lets one of eight inserts of the same domains win when they come at once, in whatever order', async () => {
        const domains = ['a.example', 'b.example', 'c.example'];
        const outcomes = await Promise.allSettled(
          Array.from({ length: 8 }, (_, index) =>
            store.insert(newTenant(index, { domains: index % 2 ? domains : [...domains].reverse() })),
          ),
        );
        const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
        expect(lost.length).toBe(7);
        for (const { reason } of lost) expect(reason).toMatchObject(DOMAIN_TAKEN);
        expect((await store.list({ limit: 100 })).length).toBe(1);
      });

      it('leaves nothing of a tenant of whose domains one is taken', async () => {
        const acme = await store.insert(newTenant(1, { domains: ['b.example'] }));
        const second = newTenant(2, { domains: ['c.example', 'b.example', 'a.example'] });
        await expect(store.insert(second)).rejects.toMatchObject({ ...DOMAIN_TAKEN, domain: 'b.example' });
        expect(await find('id', id(2))).toBe(undefined);
        expect(await find('slug', 'tenant-2')).toBe(undefined);
        expect(await find('domain', 'a.example')).toBe(undefined);
        expect(await find('domain', 'c.example')).toBe(undefined);
        expect(await find('domain', 'b.example')).toEqual(acme);
        await store.insert({ ...second, domains: ['a.example', 'c.example'] });
      });

      it('refuses a schema that another tenant has', async () => {
        const { schemaName } = await store.insert(newTenant(1));
        await expect(store.insert(newTenant(2, { schemaName }))).rejects.toMatchObject(SCHEMA_TAKEN);
        expect(await find('id', id(2))).toBe(undefined);
      });

      it('refuses an id that another tenant has', async () => {
        const acme = await store.insert(newTenant(1));
        const twin = { ...newTenant(2), id: id(1) };
        const refused = await store.insert(twin).then(
          () => false,
          () => true,
        );
        expect(refused).toBe(true);
        expect(await find('id', id(1))).toEqual(acme);
      });
    });

    describe('list', () => {
      it('pages through all tenants in the order of their ids, each once', async () => {
        for (const number of [5, 3, 9, 1, 7, 10, 2]) await store.insert(newTenant(number));
        const seen: string[] = [];
        for (let afterId: string | undefined; ; afterId = seen.at(-1)) {
          const page = await store.list({ limit: 3, afterId });
          seen.push(...idsOf(page));
          if (page.length < 3) break;
        }
        expect(seen).toEqual([1, 2, 3, 5, 7, 9, 10].map(id));
      });

      it('eachPage() gives all tenants in pages that are full, but for the last; each() one by one, or those of a status', async () => {
        const numbers = [1, 2, 3, 5, 7, 9];
        for (const number of numbers)
          await store.insert(newTenant(number, { status: number > 5 ? 'suspended' : 'active' }));
        const idsIn = async (pages: AsyncIterable<Tenant[]>) => {
          const found: string[][] = [];
          for await (const page of pages) found.push(idsOf(page));
          return found;
        };
        expect(await idsIn(store.eachPage({}, 4))).toEqual([[1, 2, 3, 5].map(id), [7, 9].map(id)]);
        expect(await idsIn(store.eachPage({}, 3))).toEqual([[1, 2, 3].map(id), [5, 7, 9].map(id)]);
        expect(await idsIn(store.eachPage({ status: 'deleted' }))).toEqual([]);
        const found: Tenant[] = [];
        for await (const tenant of store.each({ status: 'suspended' })) found.push(tenant);
        expect(idsOf(found)).toEqual([7, 9].map(id));
      });

      it('counts tenants, not domains, and gives each its own', async () => {
        await store.insert(newTenant(1, { domains: ['a.example', 'b.example', 'c.example'] }));
        await store.insert(newTenant(2));
        await store.insert(newTenant(3, { domains: ['e.example', 'd.example'] }));
        const tenants = await store.list({ limit: 2 });
        expect(tenants.map(({ domains }) => domains)).toEqual([['a.example', 'b.example', 'c.example'], []]);
        expect((await store.list({ limit: 2, afterId: id(2) })).map(({ domains }) => domains)).toEqual([
          ['d.example', 'e.example'],
        ]);
      });

      it('is empty after the last tenant, and without any', async () => {
        expect(await store.list({ limit: 100 })).toEqual([]);
        await store.insert(newTenant(1));
        expect(await store.list({ limit: 100, afterId: id(1) })).toEqual([]);
      });

      it('gives the tenants of one server, and keeps where each lives', async () => {
        const place = { server: 'eu', isolation: 'schema' } as const;
        await store.insert(newTenant(1));
        await store.insert(newTenant(2, { place }));
        const found = await store.list({ limit: 10, server: 'eu' });
        expect(found.map(({ id, place }) => ({ id, place }))).toEqual([{ id: id(2), place }]);
        expect((await store.list({ limit: 10, server: 'default' })).map((tenant) => tenant.id)).toEqual([
          id(1),
        ]);
        expect((await find('id', id(2)))?.place).toEqual(place);
      });

      it('gives the tenants that live alike, and those of one page after another', async () => {
        const place = { server: 'eu', isolation: 'database' } as const;
        await store.insert(newTenant(1));
        await store.insert(newTenant(2, { place }));
        await store.insert(newTenant(3, { place: { ...place, server: 'default' } }));
        expect(idsOf(await store.list({ limit: 10, isolation: 'database' }))).toEqual([id(2), id(3)]);
        expect(idsOf(await store.list({ limit: 10, isolation: 'schema' }))).toEqual([id(1)]);
        expect(idsOf(await store.list({ limit: 10, isolation: 'database', server: 'eu' }))).toEqual([id(2)]);
        const found: string[] = [];
        for await (const page of store.eachPage({ isolation: 'database' }, 1)) found.push(...idsOf(page));
        expect(found).toEqual([id(2), id(3)]);
      });

      it('gives the tenants of one status', async () => {
        await store.insert(newTenant(1, { status: 'active' }));
        await store.insert(newTenant(2, { status: 'suspended' }));
        await store.insert(newTenant(3, { status: 'active' }));
        expect(idsOf(await store.list({ limit: 100, status: 'active' }))).toEqual([id(1), id(3)]);
        expect(idsOf(await store.list({ limit: 1, status: 'active', afterId: id(1) }))).toEqual([id(3)]);
        expect(await store.list({ limit: 100, status: 'deleted' })).toEqual([]);
      });

      it('searches slug and name for a part, in any case', async () => {
        await store.insert(newTenant(1, { slug: 'acme', name: 'Road Runner Supplies' }));
        await store.insert(newTenant(2, { slug: 'globex', name: 'Globex Corporation' }));
        expect(idsOf(await store.list({ limit: 100, search: 'CM' }))).toEqual([id(1)]);
        expect(idsOf(await store.list({ limit: 100, search: 'runner sup' }))).toEqual([id(1)]);
        expect(idsOf(await store.list({ limit: 100, search: 'o' }))).toEqual([id(1), id(2)]);
        expect(idsOf(await store.list({ limit: 100, search: '' }))).toEqual([id(1), id(2)]);
      });

      it('takes every character of a search for itself', async () => {
        for (const [index, text] of TEXTS.entries())
          await store.insert(newTenant(index, { name: `<${text}>` }));
        for (const [index, text] of TEXTS.entries()) {
          expect(idsOf(await store.list({ limit: 100, search: `<${text}>` }))).toEqual([id(index)]);
        }
        for (const search of ['a%b', 'a_b', '\\', '%', '_', "'", '<\0>', 'x'.repeat(10_240)]) {
          const expected = TEXTS.flatMap((text, index) => (`<${text}>`.includes(search) ? [id(index)] : []));
          expect(idsOf(await store.list({ limit: 100, search }))).toEqual(expected);
        }
      });
    });

    describe('update', () => {
      it('changes what is given and nothing else, but for updatedAt and version', async () => {
        const { updatedAt: before, ...acme } = await store.insert(
          newTenant(1, { domains: ['acme.example'] }),
        );
        const updated = await store.update(acme.id, { name: 'Acme Ltd', metadata: { plan: 'pro' } });
        const { updatedAt, ...rest } = updated!;
        expect(rest).toEqual({ ...acme, name: 'Acme Ltd', metadata: { plan: 'pro' }, version: 2 });
        expect(updatedAt.getTime()).toBeGreaterThanOrEqual(before.getTime());
        expect(await find('id', acme.id)).toEqual(updated);
      });

      const eachField: Required<TenantUpdate> = {
        slug: 'apex',
        name: 'Apex',
        status: 'suspended',
        statusReason: 'unpaid',
        deletedFrom: 'active',
        metadata: { plan: 'pro' },
        schemaVersion: 'AddPlace1700000001000',
      };
      for (const [field, value] of Object.entries(eachField)) {
        it(`changes ${field} alone`, async () => {
          const acme = await store.insert(newTenant(1));
          const updated = await store.update(acme.id, { [field]: value });
          expect({ ...updated, updatedAt: null }).toEqual({
            ...acme,
            [field]: value,
            version: 2,
            updatedAt: null,
          });
          expect(await find('id', acme.id)).toEqual(updated);
        });
      }

      it('leaves alone what is given as undefined', async () => {
        const acme = await store.insert(newTenant(1));
        const updated = await store.update(acme.id, {
          name: undefined,
          slug: undefined,
          metadata: undefined,
        });
        expect({ ...updated, updatedAt: null }).toEqual({ ...acme, version: 2, updatedAt: null });
      });

      it('replaces metadata as a whole', async () => {
        await store.insert(newTenant(1, { metadata: { plan: 'free', seats: 3 } }));
        expect((await store.update(id(1), { metadata: { plan: 'pro' } }))?.metadata).toEqual({ plan: 'pro' });
        const updated = await store.update(id(1), { metadata: METADATA });
        expect(canonical(updated?.metadata)).toBe(canonical(METADATA));
        expect((await store.update(id(1), { metadata: {} }))?.metadata).toEqual({});
      });

      it('renames: the new slug finds the tenant, the old one is free', async () => {
        await store.insert(newTenant(1, { slug: 'acme' }));
        const renamed = await store.update(id(1), { slug: 'apex' });
        expect(await find('slug', 'apex')).toEqual(renamed);
        expect(await find('slug', 'acme')).toBe(undefined);
        await store.insert(newTenant(2, { slug: 'acme' }));
      });

      it('refuses to rename to a slug that another tenant has, and takes one of its own', async () => {
        const acme = await store.insert(newTenant(1, { slug: 'acme' }));
        await store.insert(newTenant(2, { slug: 'globex' }));
        await expect(store.update(id(1), { slug: 'globex', name: 'X' })).rejects.toMatchObject(SLUG_TAKEN);
        expect(await find('id', id(1))).toEqual(acme);
        expect((await store.update(id(1), { slug: 'acme' }))?.slug).toBe('acme');
      });

      it('lets one of eight renames to one slug win when they come at once', async () => {
        for (let number = 0; number < 8; number += 1) await store.insert(newTenant(number));
        const outcomes = await Promise.allSettled(
          Array.from({ length: 8 }, (_, index) => store.update(id(index), { slug: 'acme' })),
        );
        const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
        expect(lost.length).toBe(7);
        for (const { reason } of lost) expect(reason).toMatchObject(SLUG_TAKEN);
      });

      it('changes nothing unless the tenant is in an expected status', async () => {
        const acme = await store.insert(newTenant(1, { status: 'suspended' }));
        const deletion = (...status: readonly TenantStatus[]) =>
          store.update(id(1), { status: 'deleted' }, { expected: { status } });
        expect(await deletion('active')).toBe(undefined);
        expect(await deletion()).toBe(undefined);
        expect(await find('id', id(1))).toEqual(acme);
        expect((await deletion('active', 'suspended'))?.status).toBe('deleted');
      });

      it('changes nothing unless the tenant has the expected version', async () => {
        const acme = await store.insert(newTenant(1));
        const rename = (version: number, status?: readonly TenantStatus[]) =>
          store.update(id(1), { name: 'Acme' }, { expected: { version, status } });
        expect(await rename(acme.version + 1)).toBe(undefined);
        expect(await rename(acme.version - 1)).toBe(undefined);
        expect(await rename(acme.version, ['deleted'])).toBe(undefined);
        expect(await find('id', id(1))).toEqual(acme);
        expect(await rename(acme.version)).toMatchObject({ name: 'Acme', version: acme.version + 1 });
        expect(await rename(acme.version)).toBe(undefined);
      });

      it('lets one of eight that expect the same version win when they come at once', async () => {
        const { version } = await store.insert(newTenant(1));
        const answers = await Promise.all(
          Array.from({ length: 8 }, (_, index) =>
            store.update(id(1), { name: `Name ${index}` }, { expected: { version } }),
          ),
        );
        expect(answers.filter((answer) => answer !== undefined).length).toBe(1);
        expect((await find('id', id(1)))?.version).toBe(version + 1);
      });

      it('keeps why a tenant has its status and what it was before, until told otherwise', async () => {
        const inserted = await store.insert(newTenant(1));
        expect(inserted).toMatchObject({ statusReason: null, deletedFrom: null });
        const deletion = { status: 'deleted', statusReason: 'unpaid', deletedFrom: 'suspended' } as const;
        expect(await store.update(id(1), deletion)).toMatchObject(deletion);
        expect(await store.update(id(1), { name: 'Acme' })).toMatchObject(deletion);
        const restoration = { status: 'active', statusReason: null, deletedFrom: null } as const;
        expect(await store.update(id(1), restoration)).toMatchObject(restoration);
      });

      it('lets one of eight changes from one status win when they come at once', async () => {
        await store.insert(newTenant(1, { status: 'active' }));
        const answers = await Promise.all(
          Array.from({ length: 8 }, (_, index) =>
            store.update(
              id(1),
              { status: 'suspended', name: `winner ${index}` },
              { expected: { status: ['active'] } },
            ),
          ),
        );
        const winners = answers.filter((answer) => answer !== undefined);
        expect(winners.length).toBe(1);
        expect(await find('id', id(1))).toEqual(winners[0]);
      });

      it('answers undefined for an id that names nobody or is none', async () => {
        expect(await store.update(NOBODY, { name: 'X' })).toBe(undefined);
        for (const value of MALFORMED) expect(await store.update(value, { name: 'X' })).toBe(undefined);
      });
    });

    describe('domains', () => {
      it('come and go, and find their tenant while they are there', async () => {
        await store.insert(newTenant(1, { domains: ['b.example'] }));
        const added = await store.addDomain(id(1), 'a.example');
        expect(added?.domains).toEqual(['a.example', 'b.example']);
        expect(await find('domain', 'a.example')).toEqual(added);
        const removed = await store.removeDomain(id(1), 'b.example');
        expect(removed?.domains).toEqual(['a.example']);
        expect(await find('domain', 'b.example')).toBe(undefined);
        expect(await find('id', id(1))).toEqual(removed);
      });

      it('change nothing when added twice or removed without being there', async () => {
        const acme = await store.insert(newTenant(1, { domains: ['acme.example'] }));
        await store.insert(newTenant(2, { domains: ['globex.example'] }));
        expect(await store.addDomain(id(1), 'acme.example')).toEqual(acme);
        expect(await store.removeDomain(id(1), 'other.example')).toEqual(acme);
        expect(await store.removeDomain(id(1), 'globex.example')).toEqual(acme);
        expect((await find('domain', 'globex.example'))?.id).toBe(id(2));
      });

      it('belong to one tenant: a taken one is refused, and free once removed', async () => {
        await store.insert(newTenant(1, { domains: ['acme.example'] }));
        const globex = await store.insert(newTenant(2));
        await expect(store.addDomain(id(2), 'acme.example')).rejects.toMatchObject({
          ...DOMAIN_TAKEN,
          domain: 'acme.example',
        });
        expect(await find('id', id(2))).toEqual(globex);
        await store.removeDomain(id(1), 'acme.example');
        expect((await store.addDomain(id(2), 'acme.example'))?.domains).toEqual(['acme.example']);
      });

      it('go to one of eight tenants that ask for the same at once', async () => {
        for (let number = 0; number < 8; number += 1) await store.insert(newTenant(number));
        const outcomes = await Promise.allSettled(
          Array.from({ length: 8 }, (_, index) => store.addDomain(id(index), 'acme.example')),
        );
        const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
        expect(lost.length).toBe(7);
        for (const { reason } of lost) expect(reason).toMatchObject(DOMAIN_TAKEN);
      });

      it('are all kept when eight are added to one tenant at once', async () => {
        await store.insert(newTenant(1));
        const domains = Array.from({ length: 8 }, (_, index) => `d${index}.example`);
        await Promise.all(domains.map((domain) => store.addDomain(id(1), domain)));
        expect((await find('id', id(1)))?.domains).toEqual(domains);
      });

      it('are fine when one is added to one tenant eight times at once', async () => {
        await store.insert(newTenant(1));
        const answers = await Promise.all(
          Array.from({ length: 8 }, () => store.addDomain(id(1), 'acme.example')),
        );
        for (const answer of answers) expect(answer?.domains).toEqual(['acme.example']);
      });

      it('are gone with their tenant, even when they come while it is removed', async () => {
        await store.insert(newTenant(1));
        const [, ...answers] = await Promise.all([
          store.remove(id(1)),
          ...Array.from({ length: 7 }, (_, index) => store.addDomain(id(1), `d${index}.example`)),
        ]);
        for (const answer of answers) if (answer !== undefined) expect(answer.id).toBe(id(1));
        for (let index = 0; index < 7; index += 1) {
          expect(await find('domain', `d${index}.example`)).toBe(undefined);
          await store.insert(newTenant(index + 2, { domains: [`d${index}.example`] }));
        }
      });

      it('answer undefined for an id that names nobody or is none', async () => {
        for (const value of [NOBODY, ...MALFORMED]) {
          expect(await store.addDomain(value, 'acme.example')).toBe(undefined);
          expect(await store.removeDomain(value, 'acme.example')).toBe(undefined);
        }
        expect(await find('domain', 'acme.example')).toBe(undefined);
      });
    });

    describe('audit, if the store keeps one', () => {
      const audit = async (tenantId: string, page: { limit?: number; beforeId?: string } = {}) =>
        (await store.listAudit?.({ tenantId, limit: 100, ...page })) ?? [];
      const actionsOf = async (tenantId: string) => (await audit(tenantId)).map(({ action }) => action);
      const make = (number: number, given: Partial<NewTenant> = {}) =>
        store.insert(newTenant(number, given), undefined, { audit: { action: 'create', actor: 'ops' } });

      it('has who did what and why, the latest first', async () => {
        const before = Date.now();
        await make(1);
        if (!store.listAudit) return;
        const details = { fields: ['name'], slug: { from: 'a', to: 'b' } };
        await store.update(
          id(1),
          { name: 'A' },
          { audit: { action: 'update', reason: 'Größe 東京', details } },
        );
        const [update, create, ...others] = await audit(id(1));
        const { id: updateId, at, ...rest } = update;
        expect(rest).toEqual({
          tenantId: id(1),
          action: 'update',
          actor: null,
          reason: 'Größe 東京',
          details,
        });
        expect(Math.abs(at.getTime() - before) < 60_000).toBe(true);
        expect(create).toMatchObject({ action: 'create', actor: 'ops', reason: null, details: {} });
        expect(BigInt(updateId) > BigInt(create.id)).toBe(true);
        expect(others).toEqual([]);
      });

      it('has what changed something, and not what did not', async () => {
        await make(1, { domains: ['a.example'] });
        if (!store.listAudit) return;
        const note = (action: string, expected?: { version: number }) => ({ audit: { action }, expected });
        await store.update(id(1), { name: 'B' }, note('wrong version', { version: 9 }));
        await store.addDomain(id(1), 'b.example', note('wrong version', { version: 9 }));
        await store.removeDomain(id(1), 'a.example', note('wrong version', { version: 9 }));
        await store.addDomain(id(1), 'a.example', note('has it'));
        await store.removeDomain(id(1), 'c.example', note('has it not'));
        expect(await actionsOf(id(1))).toEqual(['create']);
        await store.addDomain(id(1), 'b.example', note('add'));
        await store.removeDomain(id(1), 'a.example', note('remove'));
        expect(await actionsOf(id(1))).toEqual(['remove', 'add', 'create']);
      });

      it('has nothing of what was refused', async () => {
        await make(1, { slug: 'acme', domains: ['acme.example'] });
        await make(2);
        const options = { audit: { action: 'refused' } };
        for (const refused of [
          store.update(id(2), { slug: 'acme' }, options),
          store.addDomain(id(2), 'acme.example', options),
          make(3, { slug: 'acme' }),
        ]) {
          await refused.then(
            () => expect('refused').toBe('taken'),
            () => undefined,
          );
        }
        if (!store.listAudit) return;
        expect(await actionsOf(id(2))).toEqual(['create']);
        expect(await actionsOf(id(3))).toEqual([]);
      });

      it('comes in pages, each record once', async () => {
        await make(1);
        await make(2);
        if (!store.listAudit) return;
        for (let i = 0; i < 5; i += 1) {
          await store.update(id(1), { name: `N${i}` }, { audit: { action: `a${i}` } });
          await store.update(id(2), { name: `N${i}` }, { audit: { action: `b${i}` } });
        }
        const seen: string[] = [];
        for (let beforeId: string | undefined; ;) {
          const page = await audit(id(1), { limit: 4, beforeId });
          seen.push(...page.map(({ action }) => action));
          if (page.length < 4) break;
          beforeId = page[3].id;
        }
        expect(seen).toEqual(['a4', 'a3', 'a2', 'a1', 'a0', 'create']);
      });

      it('is as long as the changes are many, however they come at once', async () => {
        await make(1);
        if (!store.listAudit) return;
        await Promise.all(
          Array.from({ length: 8 }, (_, index) =>
            store.addDomain(id(1), `d${index}.example`, { audit: { action: 'add', details: { index } } }),
          ),
        );
        expect((await audit(id(1))).length).toBe(9);
        expect((await find('id', id(1)))?.version).toBe(9);
      });

      it('is empty for an id that names nobody or is none, and gone with a removed tenant', async () => {
        await make(1);
        await store.remove(id(1));
        for (const value of [id(1), NOBODY, ...MALFORMED]) expect(await audit(value)).toEqual([]);
      });
    });

    describe('remove', () => {
      it('forgets a tenant and frees its slug, its schema and its domains', async () => {
        const acme = newTenant(1, { slug: 'acme', domains: ['acme.example'] });
        await store.insert(acme);
        await store.remove(acme.id);
        expect(await find('id', acme.id)).toBe(undefined);
        expect(await find('slug', 'acme')).toBe(undefined);
        expect(await find('domain', 'acme.example')).toBe(undefined);
        await store.insert({ ...acme, id: id(2) });
      });

      it('is fine with an id that names nobody or is none, and leaves the others', async () => {
        const acme = await store.insert(newTenant(1));
        for (const value of [NOBODY, ...MALFORMED]) await store.remove(value);
        expect(await store.list({ limit: 100 })).toEqual([acme]);
      });
    });

    describe('snapshots', () => {
      it('what came out can be changed without changing what is kept', async () => {
        await store.insert(newTenant(1, { domains: ['acme.example'], metadata: { plan: { name: 'free' } } }));
        const kept = await find('id', id(1));
        spoil(await find('id', id(1)));
        spoil((await store.list({ limit: 1 }))[0]);
        spoil(await store.addDomain(id(1), 'acme.example'));
        spoil(await store.removeDomain(id(1), 'other.example'));
        expect(await find('id', id(1))).toEqual(kept);
        spoil(await store.update(id(1), { name: 'Acme' }));
        expect({ ...(await find('id', id(1))), updatedAt: null }).toEqual({
          ...kept,
          name: 'Acme',
          version: 2,
          updatedAt: null,
        });
        spoil(await store.insert(newTenant(2)));
        expect(await find('slug', 'tenant-2')).toMatchObject({ name: 'Tenant 2', domains: [], metadata: {} });
      });

      it('what went in can be changed afterwards without changing what is kept', async () => {
        const given = newTenant(1, { domains: ['acme.example'], metadata: { plan: { name: 'free' } } });
        const inserted = await store.insert(given);
        spoil(given);
        expect(await find('id', id(1))).toEqual(inserted);
        const metadata = { plan: { name: 'pro' } };
        await store.update(id(1), { metadata });
        metadata.plan.name = 'spoilt';
        expect((await find('id', id(1)))?.metadata).toEqual({ plan: { name: 'pro' } });
      });
    });
  });
}

/** Ids in the form of UUID version 7 that sort like their numbers. */
function id(number: number): string {
  return `01900000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;
}

function newTenant(number: number, given: Partial<NewTenant> = {}): NewTenant {
  return {
    id: id(number),
    slug: `tenant-${number}`,
    name: `Tenant ${number}`,
    schemaName: `t_contract${number}`,
    place: { server: 'default', isolation: 'schema' },
    status: 'active',
    domains: [],
    metadata: {},
    templateVersion: 'v1',
    schemaVersion: 'CreateNotes1700000000000',
    ...given,
  };
}

/** Changes everything that can be changed in a tenant. The store may also have frozen it. */
function spoil(tenant: NewTenant | undefined): void {
  const { domains, metadata } = tenant as unknown as { domains: string[]; metadata: Record<string, unknown> };
  const { createdAt, updatedAt } = tenant as Partial<Tenant>;
  for (const change of [
    () => Object.assign(tenant!, { name: 'spoilt' }),
    () => domains.push('spoilt.example'),
    () => Object.assign(metadata, { spoilt: true }),
    () => Object.assign((metadata.plan as object | undefined) ?? {}, { name: 'spoilt' }),
    () => createdAt?.setTime(0),
    () => updatedAt?.setTime(0),
  ]) {
    try {
      change();
    } catch {
      // A frozen object keeps the promise, too.
    }
  }
}

/** JSON with sorted keys, because a store may change their order, and matchers treat `__proto__` differently. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join()}}`;
}

/** None of these is a valid slug, id or domain. */
const MALFORMED = [
  '',
  ' ',
  'x'.repeat(10_240),
  `acme${'\0'}`,
  'acme\0.example',
  "acme'",
  '"acme"',
  "' OR '1'='1",
  'acme; --',
  'acme\n',
  ' acme',
  'асme',
  'acme\u200b\u2028',
  '../acme',
  '%61cme',
  'acme%',
  '____',
  `{${id(1)}}`,
  id(1).replaceAll('-', ''),
  `${id(1)}0`,
  `${id(1)}\0`,
  '127.0.0.1',
  '[::1]',
  'acme.example:443',
  'acme..example',
  '__proto__',
];

const TEXTS = [
  'Größe & Söhne, 東京 🚀',
  `Robert'); DROP TABLE tenants; --`,
  'a%b',
  'a_b',
  'a\\b',
  'axb',
  '"quoted" $1 :part ?',
  'line\nbreak\ttab',
  '\u202eright to left',
  'e\u0301 \u00e9',
];

const METADATA = JSON.parse(
  JSON.stringify({
    text: 'Größe 東京 🚀 \u2028 "quoted" \\ \n',
    numbers: [0, -1, 1.5, 1e21, 5e-324, 9007199254740991],
    others: [true, false, null, [], {}, [[]]],
    "' OR 1=1 --": { ':part': '$1', '': 'empty key', 'a.b': { 'c[0]': 1 } },
    constructor: { prototype: { polluted: true } },
  }).replace('{', '{"__proto__":{"polluted":true},'),
) as Record<string, unknown>;
