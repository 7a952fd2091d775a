import { Test } from '@nestjs/testing';
import type { INestApplicationContext } from '@nestjs/common';
import {
  type Tenant,
  TenancyModule,
  TenantCarrier,
  TenantContext,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';

const KEYS = [{ id: '1', secret: 'a secret of the suite that is long enough' }];

describe('docs/queues.md, through any broker', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplicationContext;
  let carrier: TenantCarrier;
  let tenants: Record<'acme' | 'globex', Tenant>;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  let mails: any;

  async function start(options: { carryKeys?: typeof KEYS }) {
    const { Order } = await examples.import('order.entity.ts');
    const { CreateOrders1700000000000 } = await examples.import('create-orders.migration.ts');
    const { OrdersService } = await examples.import('orders.service.ts');
    const { OrderMails } = await examples.import('order-mails.ts');
    const tenancy = TenancyModule.forRoot({
      database: { url: database.url, connectAttempts: 1 },
      entities: [Order],
      migrations: [CreateOrders1700000000000],
      resolvers: [() => undefined],
      ...options,
    });
    const module = await Test.createTestingModule({
      imports: [tenancy, TenancyModule.forFeature([Order])],
      providers: [OrdersService, OrderMails],
    }).compile();
    mails = module.get(OrderMails);
    return module.init();
  }

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/queues.md');
    database = await createTestDatabase();
    app = await start({ carryKeys: KEYS });
    carrier = app.get(TenantCarrier);
    const create = (slug: string) => app.get(TenantProvisioner).create({ slug });
    tenants = { acme: await create('acme'), globex: await create('globex') };
  });
  afterAll(async () => {
    await app?.close();
    await database.drop();
    examples.remove();
  });

  const within = <T>(slug: 'acme' | 'globex', work: () => T): T =>
    app.get(TenantContext).run(tenants[slug], work);
  const kept = async (slug: 'acme' | 'globex') => {
    const sql = `SELECT description FROM ${tenants[slug].schemaName}.orders ORDER BY 1`;
    return (await database.query<{ description: string }>(sql)).map(({ description }) => description);
  };
  const refusal = (problem: string) => ({ code: 'CARRIED_TOKEN_INVALID', problem });

  it('runs each message for the tenant that sent it, whoever receives it', async () => {
    const messages = (['acme', 'globex', 'acme'] as const).map((slug, index) =>
      within(slug, () => mails.message({ description: `${slug} ${index}` })),
    );
    await Promise.all(messages.map((message) => within('globex', () => mails.receive(message))));
    await expect(kept('acme')).resolves.toEqual(['acme 0', 'acme 2']);
    await expect(kept('globex')).resolves.toEqual(['globex 1']);
  });

  it.each([0, -1, 1.5, NaN, Infinity, '60000'])('makes no token that is good for %s ms', (expiresInMs) => {
    const carry = () => carrier.carryTenant('mail', { expiresInMs: expiresInMs as number });
    expect(() => within('acme', carry)).toThrow(RangeError);
  });

  it('refuses a message whose tenant, payload or purpose is another one, and runs nothing', async () => {
    const before = await kept('globex');
    const message = within('acme', () => mails.message({ description: 'tea' }));
    const foreign = message.tenant.replace(tenants.acme.id, tenants.globex.id);
    await expect(mails.receive({ ...message, tenant: foreign })).rejects.toMatchObject(refusal('signature'));
    const edited = message.payload.replace('tea', 'rum');
    await expect(mails.receive({ ...message, payload: edited })).rejects.toMatchObject(refusal('payload'));
    const work = jest.fn();
    const { payload } = message;
    await expect(carrier.runCarried(message.tenant, 'other', work, { payload })).rejects.toMatchObject(
      refusal('purpose'),
    );
    await expect(carrier.runCarried(undefined, 'order-mails', work)).rejects.toMatchObject(
      refusal('malformed'),
    );
    const nobodys = carrier.sign(undefined, 'order-mails');
    await expect(carrier.runCarried(nobodys, 'order-mails', work)).rejects.toMatchObject(refusal('nobody'));
    expect(work).not.toHaveBeenCalled();
    await expect(kept('globex')).resolves.toEqual(before);
  });

  it('carries nothing without a tenant', () => {
    expect(() => mails.message({ description: 'tea' })).toThrow(
      expect.objectContaining({ code: 'TENANT_REQUIRED' }),
    );
    const asSystem = () => app.get(TenantContext).runAsSystem(() => carrier.carryTenant('mail'));
    expect(asSystem).toThrow(expect.objectContaining({ code: 'TENANT_REQUIRED' }));
  });

  it('gives what the work gives, knows the tenant by its new name, and none that is not served', async () => {
    const hooli = await app.get(TenantProvisioner).create({ slug: 'hooli' });
    const token = app
      .get(TenantContext)
      .run(hooli, () => carrier.carryTenant('mail', { expiresInMs: 60_000 }));
    await app.get(TenantLifecycle).update('hooli', { slug: 'hooli-2' });
    const slug = () => carrier.runCarried(token, 'mail', (tenant) => Promise.resolve(tenant.slug));
    await expect(slug()).resolves.toBe('hooli-2');
    await app.get(TenantLifecycle).suspend('hooli-2');
    await expect(slug()).rejects.toMatchObject({ code: 'TENANT_NOT_ACTIVE' });
    await app.get(TenantLifecycle).delete('hooli-2');
    await expect(slug()).rejects.toMatchObject({ code: 'TENANT_NOT_ACTIVE' });
    await app.get(TenantPurge).purge('hooli-2');
    await expect(slug()).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
  });

  it('says which option is missing, and never shows a secret', async () => {
    const other = await start({});
    const { message } = mails;
    const carried = () =>
      other.get(TenantContext).run(tenants.acme, () => message.call(mails, { description: '' }));
    expect(carried).toThrow(expect.objectContaining({ code: 'CARRY_KEYS_MISSING' }));
    await other.close();
    const short = start({ carryKeys: [{ id: '1', secret: 'too short' }] });
    await expect(short).rejects.toThrow(/carryKeys .*secrets of at least 32 characters/);
    await expect(short).rejects.not.toThrow(/too short/);
    process.env.TENANCY_CARRY_KEYS = 'a secret without an id';
    await expect(start({})).rejects.toThrow(/TENANCY_CARRY_KEYS is a text of 22 characters \(not shown\)/);
    delete process.env.TENANCY_CARRY_KEYS;
  });
});
