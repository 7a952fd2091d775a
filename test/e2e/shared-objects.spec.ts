import { Controller, Get } from '@nestjs/common';
import {
  CurrentTenant,
  fromHeader,
  InMemoryTenantStore,
  TenancyModule,
  type Tenant,
  type TenantClaim,
  TenantContext,
  TenantEvents,
  TenantFree,
  TenantLookup,
  TenantStore,
} from '../../lib';
import {
  ApiKeys,
  CurrentPrincipal,
  fromApiKey,
  type Principal,
  Public,
  TenancyAccessModule,
} from '../../lib/access';
import { fromJwtClaim } from '../../lib/jwt';
import { SECRET, token } from '../support/access-app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { ANY_ADAPTER } from '../support/sample-app';
import { rawRequest } from '../support/raw-request';
import { TenantPlans } from '../../lib/registry/tenant-plans';
import { makeTenant } from '../support/tenants';
import { startTestApp, type TestApp } from '../support/test-app';

/** The class of what `change` throws; `'changed'` when it throws nothing. */
function outcomeOf(change: () => unknown): string {
  try {
    change();
    return 'changed';
  } catch (error) {
    return (error as Error).name;
  }
}

type Writable = { metadata: Record<string, unknown>; domains: string[]; createdAt: Date };

/** What a handler may get wrong with a tenant. */
const changesOf = (tenant: Tenant, other: Tenant): (() => unknown)[] => {
  const { metadata, domains, createdAt } = tenant as unknown as Writable;
  return [
    () => delete metadata.limits,
    () => Object.assign(tenant, { schemaName: other.schemaName }),
    () => Object.assign(tenant, { id: other.id }),
    () => Object.assign(metadata.limits as object, { orders: 1e9 }),
    () => (metadata.tags as string[]).push('vip'),
    () => domains.push('globex.example'),
    () => createdAt.setTime(0),
    () => Object.setPrototypeOf(tenant, { schemaName: other.schemaName }),
  ];
};

const METADATA = { limits: { orders: 5 }, tags: ['new'] };

@Controller()
class HandsController {
  constructor(
    private readonly context: TenantContext,
    private readonly lookup: TenantLookup,
  ) {}

  @Public()
  @Get('spoil')
  async spoil(@CurrentTenant() tenant: Tenant) {
    const other = (await this.lookup.find({ by: 'slug', value: 'globex' }))!;
    return {
      same: tenant === this.context.tenant(),
      outcomes: changesOf(tenant, other).map(outcomeOf),
      metadata: this.context.tenant().metadata,
    };
  }

  @TenantFree()
  @Get('principal')
  principal(@CurrentPrincipal() principal: Principal) {
    const { scopes } = principal as unknown as { scopes: string[] };
    const claims = principal.type === 'access_token' ? (principal.claims() as Record<string, unknown>) : {};
    const outcomes = [
      () => scopes.push('orders:*'),
      () => Object.assign(principal, { scopes: ['orders:*'] }),
      () => Object.assign(principal, { tenantId: 'another' }),
      () => (claims.roles as string[]).push('admin'),
      () => Object.assign(claims, { tenants: ['globex'] }),
    ].map(outcomeOf);
    return { outcomes, scopes: principal.scopes, roles: claims.roles ?? null };
  }
}

describe.each(ANY_ADAPTER)('What requests share on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let app: TestApp;
  let acme: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await startTestApp(
      {
        imports: [
          TenancyModule.forRoot(
            notesOptions(database, {
              resolvers: [
                fromHeader('x-tenant-id'),
                fromApiKey(),
                fromJwtClaim({ claim: 'tenants', several: true, secret: SECRET }),
              ],
            }),
          ),
          TenancyAccessModule.forRoot(),
        ],
        controllers: [HandsController],
      },
      { adapter: adapter() },
    );
    acme = await app.create({ slug: 'acme', metadata: METADATA });
    await app.create({ slug: 'globex' });
  });
  afterAll(async () => {
    await app?.close();
    await database?.drop();
  });

  const get = async (path: string, headers: Record<string, string>) =>
    (await rawRequest(app.url, path, { headers })).body;

  it('a handler cannot change the tenant that the next request is given', async () => {
    const frozen = changesOf(acme, acme).map(() => 'TypeError');
    for (const headers of [{ 'x-tenant-id': 'acme' }, { 'x-tenant-id': acme.id }, { 'x-tenant-id': 'acme' }])
      await expect(get('/spoil', headers)).resolves.toEqual({
        same: true,
        outcomes: frozen,
        metadata: METADATA,
      });
  });

  it('nor can who creates one, finds one, lists all or hears of one', async () => {
    const store = app.app.get(TenantStore);
    const heard: Tenant[] = [];
    app.app.get(TenantEvents).on('created', (tenant) => heard.push(tenant));
    const created = await app.create({ slug: 'initech', metadata: METADATA });
    const found = await store.find({ by: 'slug', value: 'initech' });
    const [listed] = await store.list({ limit: 1, search: 'initech' });
    for (const tenant of [created, heard[0], found!, listed])
      expect(changesOf(tenant, acme).map(outcomeOf)).toEqual(changesOf(acme, acme).map(() => 'TypeError'));
  });

  it('a handler cannot change the principal, its scopes and its claims', async () => {
    const text = await token({ tenants: 'acme', scope: 'orders:read', roles: ['clerk'] });
    const refused = (count: number) => Array<string>(count).fill('TypeError');
    for (let time = 0; time < 2; time += 1)
      await expect(get('/principal', { authorization: `Bearer ${text}` })).resolves.toEqual({
        outcomes: refused(5),
        scopes: ['orders:read'],
        roles: ['clerk'],
      });
    const { key } = await app.app.get(ApiKeys).create(acme.id, { name: 'x', scopes: ['orders:read'] });
    for (let time = 0; time < 2; time += 1) {
      const { outcomes, scopes } = await get('/principal', { 'x-api-key': key });
      expect({ outcomes: (outcomes as string[]).slice(0, 3), scopes }).toEqual({
        outcomes: refused(3),
        scopes: ['orders:read'],
      });
    }
  });
});

/** A store of the application's own that gives out what it keeps. */
class CarelessStore extends InMemoryTenantStore {
  readonly kept = makeTenant('acme', { metadata: structuredClone(METADATA), domains: [] });

  override find(claim: TenantClaim): Promise<Tenant | undefined> {
    return Promise.resolve(claim.value === 'acme' ? this.kept : undefined);
  }
}

describe('A store that gives what can be changed', () => {
  it('is held to the same where requests are served, and the look-up goes on giving one object', async () => {
    const lookup = new TenantLookup(new CarelessStore(), {});
    const tenant = (await lookup.find({ by: 'slug', value: 'acme' }))!;
    expect(changesOf(tenant, tenant).map(outcomeOf)).toEqual(
      changesOf(tenant, tenant).map(() => 'TypeError'),
    );
    await expect(lookup.find({ by: 'slug', value: 'acme' })).resolves.toBe(tenant);
  });

  it('is held to the same by TenantContext.run()', () => {
    const context = new TenantContext(new CarelessStore());
    for (const run of [context.run.bind(context), context.runUnlimited.bind(context)]) {
      const tenant = makeTenant('acme', { metadata: structuredClone(METADATA) });
      run(tenant, () => {
        expect(context.tenant()).toBe(tenant);
        expect(changesOf(tenant, makeTenant('globex')).map(outcomeOf)).toEqual(
          changesOf(tenant, tenant).map(() => 'TypeError'),
        );
      });
    }
  });

  it('and those of the library’s own store in memory cannot be changed either', async () => {
    const store = new InMemoryTenantStore();
    const { id } = await store.insert(makeTenant('acme', { metadata: structuredClone(METADATA) }));
    const tenant = (await store.find({ by: 'id', value: id }))!;
    expect(changesOf(tenant, makeTenant('globex')).map(outcomeOf)).toEqual(
      changesOf(tenant, tenant).map(() => 'TypeError'),
    );
  });

  it('nor what a plan grants, which all its tenants share', () => {
    const plans = new TenantPlans({
      plans: { free: { exports: { limit: 5, list: ['a'] } } },
      defaultPlan: 'free',
    });
    const { exports } = plans.termsOf(makeTenant('acme'));
    expect(
      [() => Object.assign(exports, { limit: 1e9 }), () => exports.list.push('b')].map(outcomeOf),
    ).toEqual(['TypeError', 'TypeError']);
  });

  it('and a copy of a tenant is one of its own', () => {
    const context = new TenantContext(new CarelessStore());
    const tenant = makeTenant('acme', { metadata: structuredClone(METADATA) });
    context.run(tenant, () => undefined);
    const copy = { ...tenant, metadata: { ...tenant.metadata, plan: 'pro' } };
    copy.name = 'Another';
    expect([tenant.name, tenant.metadata.plan]).toEqual(['acme', undefined]);
  });
});
