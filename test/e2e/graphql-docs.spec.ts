import { type INestApplication, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Tenant, TenantContext, TenantProvisioner } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { GraphqlSocket } from '../support/graphql-socket';
import { MASTER_KEY } from '../support/sample-app';

describe('docs/graphql.md, the examples', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;
  const tenants: Record<string, Tenant> = {};
  const sockets: Record<string, GraphqlSocket> = {};

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/graphql.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    Logger.overrideLogger(false);
    const { LiveOrdersModule } = await examples.import('live-orders.module.ts');
    app = await NestFactory.create(LiveOrdersModule);
    await app.listen(0, '127.0.0.1');
    for (const slug of ['acme', 'globex']) {
      tenants[slug] = await app.get(TenantProvisioner).create({ slug });
      sockets[slug] = await GraphqlSocket.open(await app.getUrl(), { headers: { 'x-tenant-id': slug } });
    }
  });
  afterAll(async () => {
    for (const socket of Object.values(sockets)) await socket.close();
    await app?.close();
    await database.drop();
    examples.remove();
  });

  it('tell each tenant of its own orders, and load them by id', async () => {
    const { acme, globex } = sockets;
    const subscription = 'subscription { orderPlaced { description tenant } }';
    const ids = { acme: acme.ask(subscription), globex: globex.ask(subscription) };
    const events = ({ received }: GraphqlSocket, id: string) => received.filter((each) => each.id === id);
    const place = (socket: GraphqlSocket, description: string) =>
      socket.answer(`mutation { placeOrder(description: "${description}") { id } }`);
    // A subscription begins some time after it was asked for.
    while (events(acme, ids.acme).length === 0) await place(acme, 'tea');
    while (events(globex, ids.globex).length === 0) await place(globex, 'biscuit');
    const heard = JSON.stringify([events(acme, ids.acme), events(globex, ids.globex)]);
    expect(heard).toMatch(
      /^\[\[.*"description":"tea","tenant":"acme".*\],\[.*"description":"biscuit","tenant":"globex".*\]\]$/,
    );
    expect(JSON.stringify(events(acme, ids.acme))).not.toContain('globex');
    expect(JSON.stringify(events(globex, ids.globex))).not.toContain('acme');

    const { data } = (await place(acme, 'milk')) as { data: { placeOrder: { id: string } } };
    const { OrderDescriptions } = await examples.import('order-descriptions.ts');
    const load = (slug: string) =>
      app
        .get(TenantContext)
        .run(
          tenants[slug],
          () => app.get(OrderDescriptions).byId.load(data.placeOrder.id) as Promise<unknown>,
        );
    await expect(Promise.all([load('acme'), load('globex')])).resolves.toEqual(['milk', undefined]);
  });
});
