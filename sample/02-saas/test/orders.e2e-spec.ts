import { TenantSettings } from 'nestjs-tenancy/settings';
import { RATE_LIMITS } from '../src/tenants/plans';
import type { SETTINGS } from '../src/tenants/settings';
import { RunningApp } from './running-app';

describe('orders', () => {
  let running: RunningApp;

  beforeAll(async () => {
    running = await RunningApp.start();
  });
  afterAll(() => running.close());

  const order = (key: string, description: string) =>
    running.ask('POST /orders', { key, body: { description } });
  const query = (key: string, text: string, variables?: object) =>
    running.ask('POST /graphql', { key, body: { query: text, variables } });

  it("are each tenant's own", async () => {
    const [acme, globex] = [await running.makeTenant(), await running.makeTenant()];
    const { body } = await order(acme.key, 'tea').expect(201);
    await running.ask(`GET /orders/${body.id}`, { key: acme.key }).expect(200, body);
    await running.ask(`GET /orders/${body.id}`, { key: globex.key }).expect(404);
    await running.ask('GET /orders', { key: globex.key }).expect(200, []);
  });

  it('are the same by GraphQL', async () => {
    const [acme, globex] = [await running.makeTenant(), await running.makeTenant()];
    const made = await query(
      acme.key,
      'mutation ($order: CreateOrderDto!) { createOrder(order: $order) { id } }',
      { order: { description: 'tea' } },
    );
    const { id } = made.body.data.createOrder;
    const list = '{ orders { id description } }';
    expect((await query(acme.key, list)).body).toEqual({ data: { orders: [{ id, description: 'tea' }] } });
    expect((await query(globex.key, list)).body).toEqual({ data: { orders: [] } });
  });

  it('are for who shows a key, and has the scope', async () => {
    const { key } = await running.makeTenant('gold', ['orders:read']);
    await running.ask('GET /orders').expect(401);
    await running.ask('GET /orders', { key }).expect(200);
    const refused = await order(key, 'tea').expect(403);
    expect(refused.body).toMatchObject({ code: 'SCOPE_MISSING' });
    const mutation = await query(key, 'mutation { createOrder(order: { description: "tea" }) { id } }');
    expect(mutation.body.errors).toMatchObject([{ extensions: { code: 'SCOPE_MISSING' } }]);
  });

  it('need a description', async () => {
    const { key } = await running.makeTenant();
    const { body } = await order(key, '').expect(400);
    expect(body.message).toEqual(['description should not be empty']);
  });

  it('are as many as the plan allows, whichever way they come', async () => {
    const [free, gold] = [await running.makeTenant('free'), await running.makeTenant('gold')];
    const mutation = 'mutation { createOrder(order: { description: "glue" }) { id } }';
    await order(free.key, 'tea').expect(201);
    await query(free.key, mutation).expect(({ body }) => expect(body).not.toHaveProperty('errors'));
    const refused = await order(free.key, 'rope').expect(402);
    expect(refused.body).toMatchObject({ code: 'QUOTA_EXCEEDED' });
    for (const description of ['tea', 'glue', 'rope']) await order(gold.key, description).expect(201);
  });

  it('are asked for as often as the plan allows', async () => {
    for (const plan of ['free', 'gold']) {
      const { key } = await running.makeTenant(plan);
      const { headers } = await running.ask('GET /orders', { key });
      expect(headers['ratelimit-limit']).toBe(String(RATE_LIMITS[plan].minute.limit));
    }
  });

  it('are exported where the feature is on', async () => {
    const { tenant, key } = await running.makeTenant();
    await order(key, 'a 3" nail').expect(201);
    const refused = await running.ask('GET /orders/export', { key }).expect(403);
    expect(refused.body).toMatchObject({ code: 'FEATURE_OFF' });
    await running.app.get<TenantSettings<typeof SETTINGS>>(TenantSettings).set('exports', true, { tenant });
    const { text } = await running.ask('GET /orders/export', { key }).expect(200);
    expect(text).toMatch(/^id,description\n[0-9a-f-]{36},"a 3"" nail"\n$/);
  });
});
