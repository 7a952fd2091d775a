import { createServer, type AddressInfo } from 'node:net';
import { type ExecutionContext, type INestApplication, Logger } from '@nestjs/common';
import { ClientProxyFactory, KafkaContext, NatsContext, Transport } from '@nestjs/microservices';
import { type Tenant, TenantContext, TenantProvisioner } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { MASTER_KEY } from '../support/sample-app';
import { SOCKET_KINDS } from '../support/socket-clients';

const [ws] = SOCKET_KINDS;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('docs/transports.md, the examples', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;
  let tcpPort: number;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/transports.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    Logger.overrideLogger(false);
    const { start } = await examples.import('live.main.ts');
    tcpPort = await freePort();
    app = await start(0, tcpPort);
    acme = await app.get(TenantProvisioner).create({ slug: 'acme' });
    globex = await app.get(TenantProvisioner).create({ slug: 'globex' });
  });
  afterAll(async () => {
    await app?.close();
    await database.drop();
    examples.remove();
  });
  beforeEach(async () => {
    for (const { schemaName } of [acme, globex]) await database.query(`TRUNCATE ${schemaName}.orders`);
  });

  const inAcme = <T>(work: () => T): T => app.get(TenantContext).run(acme, work);
  const kept = async ({ schemaName }: Tenant): Promise<string[]> => {
    const rows = await database.query<{ description: string }>(
      `SELECT description FROM ${schemaName}.orders ORDER BY 1`,
    );
    return rows.map(({ description }) => description);
  };

  it('create an order by WebSocket, for the tenant of the handshake', async () => {
    const client = await ws.connect(await app.getUrl(), '/live', { headers: { 'x-tenant-id': 'acme' } });
    client.send('create', { description: 'tea' });
    while ((await kept(acme)).length === 0);
    client.drop();
    await expect(kept(acme)).resolves.toEqual(['tea']);
    await expect(kept(globex)).resolves.toEqual([]);
    const stranger = await ws.connect(await app.getUrl(), '/live');
    await expect(stranger.refusal).resolves.toEqual({ status: 1008, code: 'TENANT_MISSING' });
  });

  it('list and pay by TCP, for the tenant that the sender works for', async () => {
    const { OrdersClient } = await examples.import('orders.client.ts');
    const proxy = ClientProxyFactory.create({ transport: Transport.TCP, options: { port: tcpPort } });
    const client = new OrdersClient(proxy, app.get(TenantContext));
    await inAcme(() => client.paid(['tea', 'biscuit']));
    while ((await kept(acme)).length === 0);
    const answer = await inAcme(() => client.list());
    proxy.close();
    expect(answer).toMatchObject({ tenant: 'acme', orders: [{}, {}] });
    await expect(kept(acme)).resolves.toEqual(['biscuit', 'tea']);
    await expect(kept(globex)).resolves.toEqual([]);
  });

  it('read a tenant from the headers of Kafka and of NATS', async () => {
    const { fromKafkaHeader, fromNatsHeader } = await examples.import('message-tenant.ts');
    const message = (context: unknown) =>
      ({ switchToRpc: () => ({ getContext: () => context }) }) as ExecutionContext;
    const kafka = (headers?: object) =>
      message(new KafkaContext([{ headers }, 0, 'orders', {}, async () => {}, {}] as never));
    const claim = { by: 'id', value: acme.id };
    expect(fromKafkaHeader(kafka({ 'x-tenant-id': Buffer.from(acme.id) }))).toEqual(claim);
    expect(fromKafkaHeader(kafka({}))).toBeUndefined();
    expect(fromKafkaHeader(kafka())).toBeUndefined();
    expect(fromNatsHeader(message(new NatsContext(['orders', new Map([['x-tenant-id', acme.id]])])))).toEqual(
      claim,
    );
    expect(fromNatsHeader(message(new NatsContext(['orders', undefined])))).toBeUndefined();
  });

  it('work on jobs, and report on all tenants', async () => {
    const { OrderJobs } = await examples.import('order-jobs.ts');
    const jobs = app.get(OrderJobs);
    const job = inAcme(() => jobs.make('tea'));
    await jobs.work(JSON.parse(JSON.stringify(job)));
    await expect(jobs.work({ ...job, tenantId: 'gone' })).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
    const { NightlyReport } = await examples.import('nightly-report.ts');
    const report = app.get(NightlyReport);
    await report.run();
    expect(Object.fromEntries(report.ordersByTenant)).toEqual({ acme: 1, globex: 0 });
  });
});
