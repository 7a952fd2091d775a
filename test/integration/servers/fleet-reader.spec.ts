import {
  FleetReader,
  type FleetQueryOptions,
  type FleetRow,
  PoolStatistics,
  type TenancyError,
  TenantContext,
  TenantLifecycle,
  TenantProvisioner,
  type TenantsFailedError,
} from '../../../lib';
import { collectGarbage } from '../../support/collect-garbage';
import { startWorld, type World } from './world';

type Row = Record<string, unknown>;

let world: World;
let fleet: FleetReader;

beforeAll(async () => {
  world = await startWorld({ database: { connectAttempts: 1, poolSize: 4 } });
  fleet = world.app.get(FleetReader);
  const provisioner = world.app.get(TenantProvisioner);
  for (const slug of ['acme', 'globex', 'initech']) await provisioner.create({ slug });
  await provisioner.create({ slug: 'berlin' }, { place: { server: 'eu' } });
});
afterAll(() => world?.close());

/** Nothing is lent to anybody. */
const lent = () => world.app.get(PoolStatistics).read().active;

async function take(query: AsyncGenerator<FleetRow<Row>>, atMost = Infinity) {
  const rows: FleetRow<Row>[] = [];
  let error: unknown;
  try {
    for await (const row of query) if (rows.push(row) >= atMost) break;
  } catch (thrown) {
    error = thrown;
  }
  return { rows, error: error as TenantsFailedError | undefined };
}

const ask = (sql: string, parameters?: unknown[], options?: Partial<FleetQueryOptions>) =>
  take(fleet.query<Row>(sql, parameters, options));

describe('A question to all tenants', () => {
  it('is answered by each in its own schema, on every server', async () => {
    const { rows, error } = await ask(
      'SELECT pg_catalog.current_schema() AS schema, pg_catalog.current_database() AS db, $1::int + 1 AS n',
      [41],
      { concurrency: 3 },
    );
    expect(error).toBeUndefined();
    expect(rows.map(({ tenant }) => tenant).sort()).toEqual(['acme', 'berlin', 'globex', 'initech']);
    expect(new Set(rows.map(({ row }) => row.schema)).size).toBe(4);
    expect(new Set(rows.map(({ row }) => row.db)).size).toBe(2);
    expect(rows.every(({ row }) => row.n === 42)).toBe(true);
    expect(lent()).toBe(0);
  });

  it('may be put to some by name, whatever their status', async () => {
    await world.app.get(TenantLifecycle).suspend('globex');
    expect((await ask('SELECT 1')).rows.map(({ tenant }) => tenant)).toEqual(['acme', 'initech', 'berlin']);
    const { rows } = await ask('VALUES (1), (2)', [], { tenants: ['globex', 'globex'] });
    expect(rows.map(({ tenant }) => tenant)).toEqual(['globex', 'globex']);
    await world.app.get(TenantLifecycle).activate('globex');
    const { error } = await ask('SELECT 1', [], { tenants: ['acme', 'nobody'] });
    expect(error).toMatchObject({ code: 'TENANT_NOT_FOUND' });
  });

  it.each([
    ['TABLE pg_catalog.pg_am'],
    ['(SELECT 1) UNION ALL (SELECT 2);'],
    ['WITH x AS (SELECT 1) SELECT * FROM x -- and a comment'],
    ['SHOW search_path'],
    ['EXPLAIN SELECT 1'],
  ])('may be %s', async (sql) => {
    const { rows, error } = await ask(sql, [], { tenants: ['acme'] });
    expect(error).toBeUndefined();
    expect(rows.length).toBeGreaterThan(0);
  });

  it('is survived by the tenants that do not fail, which are told at the end', async () => {
    const { rows, error } = await ask(
      `SELECT 1 / (pg_catalog.current_schema() <> $1)::int AS one FROM pg_catalog.generate_series(1, 3)`,
      [(await world.app.get(TenantLifecycle).get('globex')).schemaName],
    );
    expect(rows).toHaveLength(9);
    expect(error).toMatchObject({ code: 'TENANTS_FAILED', visited: 4 });
    expect(error!.failures.map(({ tenant }) => tenant.slug)).toEqual(['globex']);
    expect(error!.message).toMatch(/globex \(division by zero\)/);
    expect(lent()).toBe(0);
  });

  it.each([
    ['', 'is empty'],
    [' -- nothing', 'is empty'],
    ['SELECT 1; SELECT 2', 'has 2 statements'],
    ['SELECT 1; COMMIT', 'has 2 statements'],
    ['COMMIT', 'begins with COMMIT'],
    ['DELETE FROM note', 'begins with DELETE'],
    ['COPY note TO STDOUT', 'begins with COPY'],
    ["SELECT 'open", 'does not end'],
    ['SELECT 1\0', 'NUL'],
  ])('is not put to any when it is %j', (sql, why) => {
    const refusal = (() => {
      try {
        void fleet.query(sql);
        return undefined;
      } catch (error) {
        return error as TenancyError;
      }
    })();
    expect(refusal).toMatchObject({
      code: 'FLEET_TEXT_REFUSED',
      message: expect.stringContaining(why) as string,
    });
  });

  it('cannot be put with what is no text, no list and no option', () => {
    expect(() => fleet.query(7 as never)).toThrow(TypeError);
    expect(() => fleet.query('SELECT 1', 'x' as never)).toThrow(TypeError);
    for (const options of [{ concurrency: 0 }, { concurrency: 1.5 }, { tenants: 'acme' }, { tenant: [] }])
      expect(() => fleet.query('SELECT 1', [], options as never)).toThrow(TypeError);
  });

  it.each([
    ['WITH gone AS (DELETE FROM pg_catalog.pg_am RETURNING 1) SELECT * FROM gone'],
    ["SELECT pg_catalog.lo_create(0), pg_catalog.set_config('transaction_read_only', 'off', false)"],
    ["SELECT pg_catalog.query_to_xml('CREATE TABLE made (id int)', true, true, '')"],
    ['EXPLAIN ANALYZE DELETE FROM pg_catalog.pg_am'],
    ['SELECT 1 AS id INTO made'],
    ['SELECT $1::int'],
  ])('is refused by PostgreSQL when it writes, or lacks a parameter: %s', async (sql) => {
    const { rows, error } = await ask(sql, [], { tenants: ['acme'] });
    expect(rows).toEqual([]);
    expect(error).toMatchObject({ code: 'TENANTS_FAILED', visited: 1 });
    const made = await world.database.query(`SELECT FROM pg_class WHERE relname = 'made'`);
    expect(made).toEqual([]);
    expect(lent()).toBe(0);
  });

  it('may be a megabyte long', async () => {
    const sql = `SELECT pg_catalog.length('${'x'.repeat(1_000_000)}') AS length`;
    const { rows } = await ask(sql, [], { tenants: ['acme', 'berlin'] });
    expect(rows.map(({ row }) => row.length)).toEqual([1_000_000, 1_000_000]);
  });

  it('is read as its rows are taken, in memory that does not grow', async () => {
    const heap: number[] = [];
    let count = 0;
    const sql = `SELECT i, pg_catalog.repeat('x', 1000) AS text FROM pg_catalog.generate_series(1, 20000) i`;
    for await (const { row } of fleet.query<{ text: string }>(sql, [], { concurrency: 4 })) {
      count += row.text.length / 1_000;
      if (count % 10_000 !== 0) continue;
      collectGarbage();
      heap.push(process.memoryUsage().heapUsed / 1_048_576);
    }
    expect(count).toBe(80_000);
    // All rows would be 80 MB.
    expect(heap.at(-1)! - heap[0]).toBeLessThan(5);
  });

  it('gives its connections back when it is left early', async () => {
    const { rows } = await take(
      fleet.query<Row>('SELECT pg_catalog.generate_series(1, 1000000000) AS i', [], { concurrency: 4 }),
      5,
    );
    expect(rows).toHaveLength(5);
    expect(lent()).toBe(0);
    // One whose iterator was never begun holds nothing.
    fleet.query('SELECT 1');
    expect(lent()).toBe(0);
    expect((await ask('SELECT 1 AS one')).rows).toHaveLength(4);
  });

  it('ends at once by a signal, also in the middle of a statement', async () => {
    const controller = new AbortController();
    const slow = ask('SELECT pg_catalog.pg_sleep(60)', [], { concurrency: 4, signal: controller.signal });
    while (lent() < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    const began = performance.now();
    controller.abort(new Error('the user has gone'));
    expect((await slow).error).toMatchObject({ message: 'the user has gone' });
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(lent()).toBe(0);
    expect((await ask('SELECT 1', [], { signal: controller.signal })).error).toMatchObject({
      message: 'the user has gone',
    });
  });

  it('leaves the caller its own tenant', async () => {
    const context = world.app.get(TenantContext);
    const acme = await world.app.get(TenantLifecycle).get('acme');
    await context.run(acme, async () => {
      for await (const { tenant } of fleet.query('SELECT 1', [], { concurrency: 4 })) {
        expect(typeof tenant).toBe('string');
        expect(context.tenant().slug).toBe('acme');
      }
    });
  });

  it('is missed by the tenants of a server that is away, and by no other', async () => {
    await world.app.get(TenantProvisioner).create({ slug: 'paris' }, { place: { server: 'eu' } });
    await world.way.cut();
    const { rows, error } = await ask('SELECT 1 AS one');
    expect(rows.map(({ tenant }) => tenant)).toEqual(['acme', 'globex', 'initech']);
    expect(error!.failures.map(({ tenant }) => tenant.slug)).toEqual(['berlin', 'paris']);
    await world.way.mend();
  });
});
