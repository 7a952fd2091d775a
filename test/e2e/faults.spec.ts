import { Client } from 'pg';
import { TenantConnection, TenantContext, TenantStore } from 'nestjs-tenancy';
import { ADAPTERS, type Answer, type SampleApp, startSampleApp } from '../support/sample-app';
import { tapWire, type WireTap } from '../support/wire-tap';

const POOL_SIZE = 2;
const UNAVAILABLE = {
  status: 503,
  body: {
    statusCode: 503,
    code: 'TENANCY_UNAVAILABLE',
    message: expect.stringContaining('not available right now'),
  },
};

/** Asks `attempt` again until it gives something. */
async function eventually<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await attempt();
    if (found !== undefined) return found;
  }
}

describe.each(ADAPTERS)('When things break, on %s', (_name, adapter) => {
  let sample: SampleApp;
  let wire: WireTap;
  let environment: NodeJS.ProcessEnv;

  beforeAll(async () => {
    environment = { ...process.env };
    sample = await startSampleApp(adapter, async (databaseUrl) => {
      wire = await tapWire(databaseUrl);
      return {
        DATABASE_URL: wire.url,
        TENANCY_POOL_SIZE: String(POOL_SIZE),
        TENANCY_CONNECT_TIMEOUT_MS: '500',
      };
    });
    for (const slug of ['acme', 'globex']) await sample.admin('POST /admin/tenants', { slug });
  });
  afterAll(async () => {
    await sample.close();
    await wire.close();
    process.env = environment;
  });

  const orders = (tenant: string): Promise<Answer> => sample.call('GET /orders', { tenant });

  /** Makes every statement on the tenant's orders wait until `release`. */
  async function lockOrders(
    slug: string,
  ): Promise<{ waiting: () => Promise<number>; release: () => Promise<void> }> {
    const tenant = await sample.app.get(TenantStore).find({ by: 'slug', value: slug });
    const client = new Client({ connectionString: sample.database.url });
    await client.connect();
    await client.query(`BEGIN; LOCK TABLE ${tenant!.schemaName}.orders IN ACCESS EXCLUSIVE MODE`);
    return {
      waiting: () =>
        eventually(async () => {
          const { rows } = await client.query(
            'SELECT pid FROM pg_locks WHERE NOT granted AND relation IS NOT NULL LIMIT 1',
          );
          return rows[0]?.pid as number | undefined;
        }),
      release: () => client.end(),
    };
  }

  it('an exhausted pool is a 503 after the declared wait, and passes', async () => {
    const context = sample.app.get(TenantContext);
    const connection = sample.app.get(TenantConnection);
    const tenant = (await sample.app.get(TenantStore).find({ by: 'slug', value: 'globex' }))!;
    const runners = Array.from({ length: POOL_SIZE }, () => connection.dataSource.createQueryRunner());
    // A tenant's requests could not take all of them.
    await context.runUnlimited(tenant, () => Promise.all(runners.map((runner) => runner.connect())));
    await expect(orders('acme')).resolves.toMatchObject(UNAVAILABLE);
    await Promise.all(runners.map((runner) => runner.release()));
    await expect(orders('acme')).resolves.toMatchObject({ status: 200 });
  });

  it('a backend terminated while it works for a request is a 503 for that request alone', async () => {
    const lock = await lockOrders('acme');
    const stuck = orders('acme');
    const pid = await lock.waiting();
    const other = orders('globex');
    await sample.database.query('SELECT pg_terminate_backend($1)', [pid]);
    await expect(stuck).resolves.toMatchObject(UNAVAILABLE);
    await expect(other).resolves.toMatchObject({ status: 200 });
    await lock.release();
    await expect(orders('acme')).resolves.toMatchObject({ status: 200 });
  });

  it('PostgreSQL gone is a 503, never "no such tenant", and the next request works when it is back', async () => {
    await expect(orders('acme')).resolves.toMatchObject({ status: 200 });
    wire.cut();
    await expect(orders('acme')).resolves.toMatchObject(UNAVAILABLE);
    await expect(sample.call('GET /orders', { tenant: 'never-seen' })).resolves.toMatchObject(UNAVAILABLE);
    await expect(sample.admin('POST /admin/tenants', { slug: 'later' })).resolves.toMatchObject(UNAVAILABLE);
    await expect(sample.call('GET /health')).resolves.toMatchObject({ status: 200 });
    wire.restore();
    await expect(orders('acme')).resolves.toMatchObject({ status: 200 });
    await expect(sample.admin('POST /admin/tenants', { slug: 'later' })).resolves.toMatchObject({
      status: 201,
    });
  });

  it('a tenant deleted while its request runs: that one is finished, the next is refused', async () => {
    const lock = await lockOrders('acme');
    const running = orders('acme');
    await lock.waiting();
    await expect(sample.admin('DELETE /admin/tenants/acme')).resolves.toMatchObject({ status: 200 });
    await expect(orders('acme')).resolves.toMatchObject({ status: 403, body: { code: 'TENANT_NOT_ACTIVE' } });
    await lock.release();
    await expect(running).resolves.toMatchObject({ status: 200 });
    await sample.admin('POST /admin/tenants/acme/restore');
    await expect(orders('acme')).resolves.toMatchObject({ status: 200 });
  });

  it('a client that hangs up leaves its connection to others', async () => {
    const lock = await lockOrders('acme');
    const abort = new AbortController();
    const hungUp = fetch(`${sample.url}/orders`, {
      headers: { 'x-tenant-id': 'acme' },
      signal: abort.signal,
    });
    await lock.waiting();
    abort.abort();
    await expect(hungUp).rejects.toThrow('aborted');
    await lock.release();
    const answers = await Promise.all(Array.from({ length: 8 }, () => orders('globex')));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
  });
});

describe('A start without PostgreSQL', () => {
  const environment = { ...process.env };
  afterEach(() => {
    process.env = { ...environment };
  });

  it('waits for it, and works when it comes', async () => {
    let tap!: WireTap;
    const sample = await startSampleApp(ADAPTERS[0][1], async (databaseUrl) => {
      tap = await tapWire(databaseUrl);
      tap.cut(3);
      return {
        DATABASE_URL: tap.url,
        TENANCY_CONNECT_ATTEMPTS: '100',
        TENANCY_CONNECT_RETRY_DELAY_MS: '20',
      };
    });
    await expect(sample.admin('POST /admin/tenants', { slug: 'acme' })).resolves.toMatchObject({
      status: 201,
    });
    await sample.close();
    await tap.close();
  });

  it('gives up after the declared attempts, and says why', async () => {
    const start = startSampleApp(ADAPTERS[0][1], () => ({
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere',
      TENANCY_CONNECT_ATTEMPTS: '2',
      TENANCY_CONNECT_RETRY_DELAY_MS: '1',
    }));
    await expect(start).rejects.toMatchObject({
      code: 'TENANCY_UNAVAILABLE',
      cause: { code: 'ECONNREFUSED' },
    });
  });
});
