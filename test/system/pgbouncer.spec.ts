import { Pool, type QueryResult } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  initializeTenantDataSource,
  tenantDriver,
  withEmptySearchPathInUrl,
} from '../../lib/connection/typeorm/tenant-data-source';
import { TenantContext } from '../../lib/context/tenant-context';
import { InMemoryTenantStore } from '../../lib/registry/store/in-memory-tenant.store';
import { createTestDatabase, type TestDatabase } from '../support/database';
import type { TestServer } from '../support/system/postgres-15';
import { startAnotherPgBouncer } from '../support/system/pgbouncer';
import { makeTenant } from '../support/tenants';

const SESSIONS = 2;
const CONNECTIONS = 10;
const tenants = Array.from({ length: 8 }, (_, i) => makeTenant(`tenant_${i}`));

interface Seen {
  readonly owner: string;
  readonly pid: number;
}

const SELECT = 'SELECT owner, pg_backend_pid() AS pid FROM note WHERE id = 1';

/** The same primary key in every tenant, rows stamped with their tenant, far fewer sessions than connections. */
describe(`Eight tenants behind PgBouncer in transaction mode, with ${SESSIONS} sessions for ${CONNECTIONS} connections`, () => {
  let database: TestDatabase;
  let pooler: TestServer;
  let url: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    for (const { schemaName, slug } of tenants) {
      await database.query(`CREATE SCHEMA ${schemaName}`);
      await database.query(`CREATE TABLE ${schemaName}.note (id int PRIMARY KEY, owner text NOT NULL)`);
      await database.query(`INSERT INTO ${schemaName}.note VALUES (1, '${slug}')`);
    }
    pooler = await startAnotherPgBouncer({ default_pool_size: SESSIONS });
    url = database.urlOn(pooler.url);
  });
  afterAll(async () => {
    await pooler?.stop();
    await database?.drop();
  });

  it('never see each other in 4,000 interleaved reads, writes and transactions', async () => {
    const context = new TenantContext(new InMemoryTenantStore());
    const options = {
      type: 'postgres',
      url: withEmptySearchPathInUrl(url),
      driver: tenantDriver({ context }),
      installExtensions: false,
      poolSize: CONNECTIONS,
    } as DataSourceOptions;
    const dataSource = await initializeTenantDataSource(options, context, database.url);
    const pool = (dataSource.driver as unknown as { master: Pool }).master;
    try {
      const operations = [
        () => dataSource.query<Seen[]>(SELECT),
        () => dataSource.query<Seen[]>(SELECT.replace('1', '$1'), [1]),
        () => rowsOfUpdate(dataSource),
        () =>
          dataSource.transaction(async (manager) => {
            await manager.query('UPDATE note SET owner = owner');
            return manager.query<Seen[]>(SELECT);
          }),
        () => rowsOfSecond(pool, `SELECT 1; ${SELECT}`),
      ];
      const seen = await interleave(4_000, (slug, i) =>
        context.run(tenants[Number(slug.at(-1))], operations[i % operations.length]),
      );
      expect(seen.wrong).toBe(0);
      expect(seen.answers).toBe(4_000);
      expect(seen.sessions).toBe(SESSIONS);
    } finally {
      await dataSource.destroy();
    }
  });

  it('do see each other when a pool sets their path in the session: this test can fail', async () => {
    const pool = new Pool({ connectionString: url, max: CONNECTIONS });
    try {
      const seen = await interleave(400, async (slug) => {
        const client = await pool.connect();
        try {
          await client.query(`SET search_path TO t_${slug}`);
          return (await client.query<Seen>(SELECT)).rows;
        } catch (error) {
          // Served by a session in which nobody has set any path yet.
          expect(error).toMatchObject({ code: '42P01' });
          return [];
        } finally {
          client.release();
        }
      });
      expect(seen.wrong).toBeGreaterThan(100);
    } finally {
      await pool.end();
    }
  });
});

async function rowsOfUpdate(dataSource: DataSource): Promise<Seen[]> {
  const [rows] = await dataSource.query<[Seen[], number]>(
    'UPDATE note SET owner = owner WHERE id = 1 RETURNING owner, pg_backend_pid() AS pid',
  );
  return rows;
}

async function rowsOfSecond(pool: Pool, text: string): Promise<Seen[]> {
  const results = (await pool.query(text)) as unknown as QueryResult<Seen>[];
  return results[1].rows;
}

/** How many of so many answers to all tenants in turn, asked for at once, were another's, and who gave them. */
async function interleave(count: number, ask: (slug: string, index: number) => Promise<Seen[]>) {
  const sessions = new Set<number>();
  let wrong = 0;
  let answers = 0;
  await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const { slug } = tenants[i % tenants.length];
      const rows = await ask(slug, i);
      answers += rows.length;
      for (const { owner, pid } of rows) {
        if (owner !== slug) wrong++;
        sessions.add(pid);
      }
    }),
  );
  return { answers, wrong, sessions: sessions.size };
}
