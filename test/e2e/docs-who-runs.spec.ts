import { Test } from '@nestjs/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { type Tenant, TenancyModule, TenantContext, TenantProvisioner } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';

type Slug = 'acme' | 'globex';
interface Order {
  readonly description: string;
}

describe('docs/who-runs.md', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplicationContext;
  let tenants: Record<Slug, Tenant>;
  // What the examples export.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  let made: Record<string, any>;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/who-runs.md');
    database = await createTestDatabase();
    const files = ['order.entity', 'create-orders.migration', 'orders.service', 'order-news'];
    const others = ['order-batches', 'order-counts', 'order-loop'];
    made = Object.assign(
      {},
      ...(await Promise.all([...files, ...others].map((file) => examples.import(`${file}.ts`)))),
    );
    const { Order, CreateOrders1700000000000, OrdersService, UnsafeBatches, OrderBatches, OrderCounts } =
      made;
    const tenancy = TenancyModule.forRoot({
      database: { url: database.url, connectAttempts: 1 },
      entities: [Order],
      migrations: [CreateOrders1700000000000],
      resolvers: [() => undefined],
    });
    const module = await Test.createTestingModule({
      imports: [tenancy],
      providers: [OrdersService, UnsafeBatches, OrderBatches, OrderCounts],
    }).compile();
    app = await module.init();
    const create = (slug: string) => app.get(TenantProvisioner).create({ slug });
    tenants = { acme: await create('acme'), globex: await create('globex') };
  });
  afterAll(async () => {
    await app?.close();
    await database.drop();
    examples.remove();
  });
  beforeEach(async () => {
    for (const [slug, { schemaName }] of Object.entries(tenants)) {
      await database.query(`TRUNCATE "${schemaName}".orders`);
      await database.query(`INSERT INTO "${schemaName}".orders (description) VALUES ('of ${slug}')`);
    }
  });

  const within = <T>(slug: Slug, work: () => T): T => app.get(TenantContext).run(tenants[slug], work);
  const namesOf = (orders: readonly Order[]) => orders.map(({ description }) => description);
  const kept = async (slug: Slug) =>
    namesOf(
      await database.query<Order>(`SELECT description FROM "${tenants[slug].schemaName}".orders ORDER BY 1`),
    );

  it.each([
    ['listWhenToldUnsafe', 'of globex'],
    ['listWhenTold', 'of acme'],
  ])('%s(), for which the other tenant emits, lists orders %s', async (name, expected) => {
    const orders = app.get(made.OrdersService);
    const listed = new Promise<Order[]>((resolve) => within('acme', () => made[name](orders, resolve)));
    within('globex', () => made.news.emit('news'));
    expect(namesOf(await listed)).toEqual([expected]);
  });

  it('what comes behind an await runs for whoever awaits', async () => {
    const listed = within('acme', () => made.listAfterNews(app.get(made.OrdersService)));
    within('globex', () => made.news.emit('news'));
    expect(namesOf(await listed)).toEqual(['of acme']);
  });

  it('a listener that the application calls for nobody is refused', async () => {
    const refused = new Promise((resolve) =>
      made.news.once('news', () => void app.get(made.OrdersService).list().catch(resolve)),
    );
    made.news.emit('news');
    await expect(refused).resolves.toMatchObject({ code: 'TENANT_REQUIRED' });
  });

  it.each([
    ['UnsafeBatches', ['of acme', 'tea of acme', 'tea of globex'], ['of globex']],
    ['OrderBatches', ['of acme', 'tea of acme'], ['of globex', 'tea of globex']],
  ])('%s writes what two tenants add in one tick', async (name, ofAcme, ofGlobex) => {
    const batches = app.get(made[name]);
    const add = (slug: Slug) => within(slug, () => batches.add(`tea of ${slug}`)) as Promise<void>;
    await Promise.all([add('acme'), add('globex')]);
    expect([await kept('acme'), await kept('globex')]).toEqual([ofAcme, ofGlobex]);
  });

  it.each([
    ['countUnsafe', 2],
    ['count', 1],
  ])('%s() tells the second tenant %d', async (name, expected) => {
    await database.query(`INSERT INTO "${tenants.acme.schemaName}".orders (description) VALUES ('tea')`);
    const counts = app.get(made.OrderCounts);
    expect(await within('acme', () => counts[name]())).toBe(2);
    expect(await within('globex', () => counts[name]())).toBe(expected);
  });

  it.each([
    ['addUnsafe', 'of acme'],
    ['add', 'of globex'],
  ])('%s() of a loop that one tenant has started lists for the other orders %s', async (name, expected) => {
    const loop = new made.OrderLoop();
    const orders = app.get(made.OrdersService);
    let listed: Order[] = [];
    const first = within('acme', () => loop[name](() => orders.list()));
    const second = within('globex', () =>
      loop[name](async () => {
        listed = await orders.list();
      }),
    );
    await Promise.all([first, second]);
    expect(namesOf(listed)).toEqual([expected]);
  });
});
