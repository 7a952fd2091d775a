import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { TENANT_DATA_SOURCE, TenantStore } from 'nestjs-tenancy';
import { type EmbeddedPostgres, startEmbeddedPostgres } from 'nestjs-tenancy/testing';
import { ADAPTERS, type SampleApp, startSampleApp } from '../support/sample-app';
import { tapWire, type WireTap } from '../support/wire-tap';

const MAX_CONNECTIONS = 25;
const ANSWER_TIMEOUT_MS = 1_000;
const UNAVAILABLE = { status: 503, body: { code: 'TENANCY_UNAVAILABLE' } };

/** Ends all sessions but the one that asks. */
const TERMINATE = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()`;

describe('When the server of an application breaks', () => {
  const environment = { ...process.env };
  let directory: string;
  let server: EmbeddedPostgres;
  let sample: SampleApp;
  let wire: WireTap;

  const startServer = async () => {
    server = await startEmbeddedPostgres({
      dataDirectory: join(directory, 'data'),
      parameters: { max_connections: MAX_CONNECTIONS, fsync: 'off' },
    });
    process.env.TEST_SERVER_URL = server.url;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'faults-'));
    await chmod(directory, 0o755);
    await startServer();
    sample = await startSampleApp(ADAPTERS[0][1], async (databaseUrl) => {
      wire = await tapWire(databaseUrl);
      return {
        DATABASE_URL: wire.url,
        TENANCY_POOL_SIZE: '3',
        TENANCY_CONNECT_TIMEOUT_MS: '2000',
        TENANCY_ANSWER_TIMEOUT_MS: String(ANSWER_TIMEOUT_MS),
      };
    });
    await sample.admin('POST /admin/tenants', { slug: 'acme' });
  });
  afterAll(async () => {
    await sample.close();
    await wire.close();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
    process.env = environment;
  });

  const orders = () => sample.call('GET /orders', { tenant: 'acme' });

  /** Asks again until it is answered so. A test that asks for ever is ended by Jest. */
  async function untilAnswered(status: number, ask: () => Promise<{ status: number }>): Promise<void> {
    while ((await ask()).status !== status);
  }
  const untilWell = async () => {
    await untilAnswered(200, orders);
    await untilAnswered(404, () => sample.call('GET /orders', { tenant: `unknown-${Date.now()}` }));
    await untilAnswered(200, () => sample.admin('GET /admin/tenants'));
  };

  async function admin(): Promise<Client> {
    const client = new Client({ connectionString: sample.database.urlOn(server.url) });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  it('a line that breaks in silence is a 503 when the time for an answer is over, and all connections are renewed', async () => {
    await untilWell();
    wire.freeze();
    await expect(orders()).resolves.toMatchObject(UNAVAILABLE);
    await untilWell();
  });

  it('a statement that takes too long is a 503, and its connection is left to nobody', async () => {
    const tenant = await sample.app.get(TenantStore).find({ by: 'slug', value: 'acme' });
    const locker = await admin();
    await locker.query(`BEGIN; LOCK TABLE ${tenant!.schemaName}.orders`);
    await expect(orders()).resolves.toMatchObject(UNAVAILABLE);
    await locker.query('ROLLBACK');
    await locker.end();
    await untilWell();
  });

  it('too many connections are a 503, until there is room', async () => {
    await untilWell();
    const clients = [await admin()];
    await clients[0].query(TERMINATE);
    const fill = async () => {
      for (;;) clients.push(await admin());
    };
    await expect(fill()).rejects.toMatchObject({ code: '53300' });
    await expect(orders()).resolves.toMatchObject(UNAVAILABLE);
    await Promise.all(clients.map((client) => client.end()));
    await untilWell();
  });

  it('sessions terminated over and over are 503s at worst, and are over when it is', async () => {
    const terminator = await admin();
    for (let round = 0; round < 20; round++) {
      const answers = Promise.all(Array.from({ length: 5 }, orders));
      await terminator.query(TERMINATE);
      for (const { status } of await answers) expect([200, 503]).toContain(status);
    }
    await terminator.end();
    await untilWell();
  });

  it('PostgreSQL stopped is a 503, and one that comes up elsewhere is found without a restart', async () => {
    await untilWell();
    await server.stop();
    await expect(orders()).resolves.toMatchObject(UNAVAILABLE);
    await expect(sample.admin('POST /admin/tenants', { slug: 'later' })).resolves.toMatchObject(UNAVAILABLE);
    await startServer();
    wire.redirect(server.url);
    await untilWell();
  });

  it('asks a silent line whether it is still there, every ten seconds', () => {
    // What the kernel does with it cannot be tried on loopback, where no line is ever cut.
    for (const name of [TENANT_DATA_SOURCE, 'tenancy-registry', 'tenancy-lookups']) {
      const { driver } = sample.app.get<{ driver: { master: { options: object } } }>(`${name}DataSource`);
      expect(driver.master.options).toMatchObject({ keepAlive: true, keepAliveInitialDelayMillis: 10_000 });
    }
  });
});
