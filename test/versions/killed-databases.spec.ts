import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { FleetMigrator, TenantLifecycle, TenantStore, TenantSweeper } from '../../lib';
import { seededRandom } from '../../bench/random';
import { cleanEnvironment, programArguments, REPOSITORY } from '../support/commands';
import { createTestDatabase, type TestDatabase } from '../support/database';
import type { TestApp } from '../support/test-app';
import { act, type Action, APPLICATION_NAME, onFurtherServer } from '../integration/provisioning/acting-app';
import { startAppOn } from '../integration/provisioning/app';
import { databasesOf, urlOf } from '../integration/homes/world';

const PROGRAM = join(__dirname, '../integration/provisioning/killed-program.ts');

/** Statements of each action in which it is killed; 0: in every one. */
const KILLS = Number(process.env.TENANCY_TEST_KILLS ?? 1);
const SEED = Number(process.env.TENANCY_TEST_SEED ?? 20_260_101);

describe('a process killed at any statement, with databases of tenants’ own', () => {
  let database: TestDatabase;
  let running: TestApp;
  let count = 0;
  beforeAll(async () => {
    database = await createTestDatabase();
    running = await startAppOn(database, {
      ...onFurtherServer('own'),
      sweeper: { intervalMs: 0, orphanAfterMs: 0 },
    });
    await running.create({ slug: 'source' });
  });
  afterAll(async () => {
    await running.close();
    for (const name of await databasesOf(database))
      await database.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await database.drop();
  });

  async function prepare(action: Action, slug: string): Promise<void> {
    if (action !== 'purge') return;
    await running.create({ slug });
    await running.app.get(TenantLifecycle).delete(slug);
  }

  /** By a process of its own; whether it was killed before it had done all. */
  async function killedAt(killAt: number, action: Action, slug: string): Promise<boolean> {
    const args = programArguments(PROGRAM, database.url, '', 'own', action, String(killAt), slug);
    try {
      await promisify(execFile)(process.execPath, args, { cwd: REPOSITORY, env: cleanEnvironment() });
      return false;
    } catch (error) {
      if ((error as { signal?: string }).signal === 'SIGKILL') return true;
      throw error;
    }
  }

  const perform = (action: Action, slug: string): Promise<number> =>
    act({ url: database.url, storeUrl: '', euUrl: 'own', action, slug });

  /** PostgreSQL goes on with a statement whose client is gone. */
  async function untilItsBackendsAreGone(): Promise<void> {
    const left = () =>
      database.query(`SELECT FROM pg_stat_activity WHERE application_name = '${APPLICATION_NAME}'`);
    while ((await left()).length > 0);
  }

  const allTenants = () => running.app.get(TenantStore).list({ limit: 1000 });

  /** Every tenant in a declared state and with its database, every database somebody's, nothing half-done. */
  async function expectOrder(): Promise<void> {
    const tenants = await allTenants();
    for (const { schemaName, status } of tenants) {
      expect(['active', 'deleted']).toContain(status);
      const client = new Client({ connectionString: urlOf(database, schemaName) });
      await client.connect();
      await client.query(`SELECT id, text FROM "${schemaName}".note`).finally(() => client.end());
    }
    expect(await databasesOf(database)).toEqual(tenants.map(({ schemaName }) => schemaName).sort());
    expect(await database.query('SELECT FROM tenancy.databases')).toEqual([]);
    expect(await database.query('SELECT FROM tenancy.purges WHERE finished_at IS NULL')).toEqual([]);
    // The ledger of the server knows what each has seen, and of nobody else.
    await expect(running.app.get(FleetMigrator).status()).resolves.toMatchObject({ behind: 0 });
    const entries = await database.query<{ id: string }>(
      `SELECT DISTINCT tenant_id AS id FROM tenancy.tenant_migrations WHERE tenant_id <> '00000000-0000-0000-0000-000000000000'`,
    );
    expect(entries.map(({ id }) => id).sort()).toEqual(tenants.map(({ id }) => id).sort());
  }

  it.each<Action>(['create', 'clone', 'purge'])(
    '%s: the next sweep brings every tenant to a declared state, and the action can be done again',
    async (action) => {
      const slug = () => `${action}${++count}`;
      const rehearsal = slug();
      await prepare(action, rehearsal);
      const statements = await perform(action, rehearsal);
      const random = seededRandom(SEED + statements);
      const all = Array.from({ length: statements }, (_, i) => i + 1);
      const picked = KILLS === 0 ? all : all.sort(() => random() - 0.5).slice(0, KILLS);
      let kills = 0;
      for (const killAt of picked) {
        const victim = slug();
        await prepare(action, victim);
        if (await killedAt(killAt, action, victim)) kills++;
        await untilItsBackendsAreGone();
        const { problems } = await running.app.get(TenantSweeper).sweep();
        try {
          expect(problems).toEqual([]);
          await expectOrder();
          const tenant = (await allTenants()).find((each) => each.slug === victim);
          if (action === 'purge' ? tenant : !tenant) {
            await perform(action, victim);
            await expectOrder();
          }
        } catch (cause) {
          throw new Error(`${action} killed at statement ${killAt} of ${statements}`, { cause });
        }
      }
      expect(kills).toBeGreaterThan(0);
    },
    KILLS === 0 ? 3_600_000 : 300_000,
  );
});
