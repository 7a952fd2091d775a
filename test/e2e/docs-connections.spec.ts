import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import Cursor from 'pg-cursor';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { type Tenant, TenantConnection, TenantContext, TenantProvisioner, TenancyModule } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { MASTER_KEY } from '../support/sample-app';
import { rawRequest } from '../support/raw-request';
import { twoTenants, type TwoTenants } from '../support/two-tenants';

const PAGES = ['docs/data.md', 'docs/transactions.md', 'docs/connections.md'];

const PROVIDERS = {
  PoolHealth: 'pool-health.ts',
  OrdersOfAll: 'orders-of-all.ts',
  VacuumJob: 'vacuum.job.ts',
  CopyOrders: 'copy-orders.ts',
  OrderWithGift: 'order-with-gift.ts',
  ImportsJob: 'imports.job.ts',
  OrderMailer: 'order-mailer.ts',
  OrdersExport: 'orders-export.ts',
};

describe('docs/data.md, docs/transactions.md and docs/connections.md, the examples', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;
  let acme: Tenant;
  let globex: Tenant;
  // An example's class has whatever methods the document gives it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  let the: Record<keyof typeof PROVIDERS, any>;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', ...PAGES);
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    const classOf = async (name: string, file: string): Promise<Type> => (await examples.import(file))[name];
    const classes = await Promise.all(Object.entries(PROVIDERS).map((each) => classOf(...each)));
    const testing = await Test.createTestingModule({
      imports: [
        await classOf('AppModule', 'app.module.ts'),
        TenancyModule.forFeature([await classOf('Order', 'order.entity.ts')]),
      ],
      controllers: [await classOf('ImportsController', 'imports.controller.ts')],
      providers: [await classOf('OrdersService', 'orders.service.ts'), ...classes],
    }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    the = Object.fromEntries(classes.map((each) => [each.name, app.get(each)])) as typeof the;
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

  it('ask all tenants one question, and stop when there is enough', async () => {
    for (const { schemaName } of [acme, globex])
      await database.query(
        `INSERT INTO ${schemaName}.orders (description) VALUES ('green tea'), ('milk'), ('black tea')`,
      );
    const found = (await the.OrdersOfAll.find('tea', 10)) as string[];
    expect(found.sort()).toEqual([
      'acme: black tea',
      'acme: green tea',
      'globex: black tea',
      'globex: green tea',
    ]);
    expect(await the.OrdersOfAll.find('tea', 3)).toHaveLength(3);
  });

  it('vacuum every tenant’s table', async () => {
    await the.VacuumJob.run();
    const tables = await database.query(
      'SELECT 1 FROM pg_stat_user_tables WHERE last_vacuum IS NOT NULL AND schemaname = ANY($1)',
      [[acme.schemaName, globex.schemaName]],
    );
    expect(tables).toHaveLength(2);
  });

  it('load rows by COPY, whatever is in them, and export them by a stream', async () => {
    const texts = ['tab\there', 'line\nbreak', '\\N', '\\.', 'ünï'];
    await inAcme(() => the.CopyOrders.load(texts));
    await expect(kept(acme)).resolves.toEqual(expect.arrayContaining(texts));
    const exported: string[] = [];
    await inAcme(async () => {
      for await (const description of the.OrdersExport.descriptions()) exported.push(description);
    });
    expect(exported.sort()).toEqual(texts.sort());
    await expect(kept(globex)).resolves.toEqual([]);
  });

  it('keep an order without its gift', async () => {
    await inAcme(() => the.OrderWithGift.create('tea', 'biscuit'));
    await inAcme(() => the.OrderWithGift.create('coffee', null));
    await expect(kept(acme)).resolves.toEqual(['biscuit', 'coffee', 'tea']);
  });

  it('import all orders of a request, or none', async () => {
    const send = async (descriptions: unknown[]) =>
      rawRequest(await app.getUrl(), '/imports', {
        method: 'POST',
        headers: { 'x-tenant-id': 'acme', 'content-type': 'application/json' },
        body: JSON.stringify({ descriptions }),
      });
    await expect(send(['tea', 'coffee'])).resolves.toMatchObject({ status: 201, body: { orders: 2 } });
    await expect(send(['milk', null])).resolves.toMatchObject({ status: 500 });
    await expect(kept(acme)).resolves.toEqual(['coffee', 'tea']);
  });

  it('import all orders of a job, or none', async () => {
    await the.ImportsJob.run(acme, ['tea']);
    await expect(the.ImportsJob.run(acme, ['milk', null])).rejects.toMatchObject({ code: '23502' });
    await expect(kept(acme)).resolves.toEqual(['tea']);
  });

  it('note a mail for the tenant that asked for it, whoever says that it was sent', async () => {
    inAcme(() => the.OrderMailer.noteWhenSent());
    app.get(TenantContext).run(globex, () => the.OrderMailer.events.emit('sent'));
    while ((await kept(acme)).length === 0);
    await expect(kept(acme)).resolves.toEqual(['mail sent']);
    await expect(kept(globex)).resolves.toEqual([]);
  });

  it('count the connections that were destroyed', async () => {
    const before = the.PoolHealth.destroyedByCause()['session state'] ?? 0;
    await inAcme(() => app.get(TenantConnection).query('SET statement_timeout = 1000'));
    expect(the.PoolHealth.destroyedByCause()['session state']).toBe(before + 1);
  });

  it('find the tenant whose statements took the longest', async () => {
    await inAcme(() => app.get(TenantConnection).query('SELECT pg_sleep(1)'));
    expect(the.PoolHealth.busiest()).toMatchObject({ tenantId: acme.id, active: 0 });
  });
});

describe('docs/data.md, what happens with a statement', () => {
  let world: TwoTenants;

  beforeAll(async () => {
    world = await twoTenants(1);
    for (const { schemaName } of [world.acme, world.globex]) {
      await world.database.query(
        `CREATE PROCEDURE ${schemaName}.commits() LANGUAGE plpgsql AS $$
         BEGIN
           INSERT INTO note (id) VALUES (2);
           COMMIT;
           INSERT INTO note (id) VALUES (3);
         END $$`,
      );
    }
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  const ids = async ({ schemaName }: Tenant) =>
    (await world.database.query<{ id: number }>(`SELECT id FROM ${schemaName}.note ORDER BY id`)).map(
      ({ id }) => id,
    );
  const withClient = <T>(work: (client: PoolClient) => Promise<T>): Promise<T> =>
    world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      try {
        return await work(client);
      } finally {
        client.release();
      }
    });

  it('a procedure that commits finds no table after it, where PostgreSQL lets it commit at all', async () => {
    const [{ version }] = await world.database.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int AS version`,
    );
    const letsItCommit = version < 180_000;
    await world.query(world.globex, 'SELECT owner FROM note');
    await expect(world.query(world.acme, 'CALL commits()')).rejects.toMatchObject({
      code: letsItCommit ? '42P01' : '2D000',
    });
    await expect(ids(world.acme)).resolves.toEqual(letsItCommit ? [1, 2] : [1]);
    await expect(ids(world.globex)).resolves.toEqual([1]);
  });

  it('a DO block that commits is refused, and nothing is kept', async () => {
    const sql = 'DO $$ BEGIN INSERT INTO note (id) VALUES (2); COMMIT; END $$';
    await expect(world.query(world.acme, sql)).rejects.toMatchObject({ code: '2D000' });
    await expect(ids(world.acme)).resolves.toEqual([1]);
  });

  it('COPY takes three round trips, in a transaction of yours one, and two as the first of it', async () => {
    await withClient(async (client) => {
      await client.query('SELECT 1');
      world.wire.reset();
      await pipeline(Readable.from(['2\tx\n']), client.query(copyFrom('COPY note FROM STDIN')));
      expect(world.wire.roundTrips).toBe(3);
      await client.query('BEGIN');
      for (const roundTrips of [2, 1]) {
        world.wire.reset();
        await client.query(copyTo('COPY note TO STDOUT')).toArray();
        expect(world.wire.roundTrips).toBe(roundTrips);
      }
      await client.query('COMMIT');
    });
  });

  it('several statements are one transaction', async () => {
    const sql = 'INSERT INTO note (id) VALUES (2); SELECT 1/0';
    await expect(world.query(world.acme, sql)).rejects.toMatchObject({ code: '22012' });
    await expect(ids(world.acme)).resolves.toEqual([1]);
  });

  it.each([
    ['SET statement_timeout = 1000', 'SHOW statement_timeout', [{ statement_timeout: '1s' }]],
    ['SET search_path = t_globex', 'SELECT owner FROM note', [{ owner: 'acme' }]],
    ["CREATE TEMP TABLE own AS SELECT 'mine' AS text", 'SELECT text FROM own', [{ text: 'mine' }]],
    ["CREATE TEMP TABLE note AS SELECT 'hidden' AS owner", 'SELECT owner FROM note', [{ owner: 'acme' }]],
    ['PREPARE mine AS SELECT owner FROM note', 'EXECUTE mine', [{ owner: 'acme' }]],
  ])('until release, after %s: %s', async (first, second, rows) => {
    await withClient(async (client) => {
      await client.query(first);
      await expect(client.query(second)).resolves.toMatchObject({ rows });
    });
    expect(world.pool.totalCount).toBe(0);
  });

  it('a temporary table costs its connection, with ON COMMIT DROP too', async () => {
    await withClient(async (client) => {
      await client.query('BEGIN');
      await client.query('CREATE TEMP TABLE own ON COMMIT DROP AS SELECT 1 AS one');
      await expect(client.query('SELECT one FROM own')).resolves.toMatchObject({ rows: [{ one: 1 }] });
      await client.query('COMMIT');
    });
    expect(world.pool.totalCount).toBe(0);
  });

  it('a cursor that is open at release costs its connection', async () => {
    const before = world.pool.destroyedByCause['query in flight'] ?? 0;
    await withClient(async (client) => {
      const cursor = client.query(new Cursor('SELECT owner FROM note, generate_series(1, 1000)'));
      await expect(cursor.read(1)).resolves.toEqual([{ owner: 'acme' }]);
    });
    expect(world.pool.destroyedByCause['query in flight']).toBe(before + 1);
  });
});
