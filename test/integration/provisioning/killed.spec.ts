import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Tenant, TenantLifecycle, TenantStore, TenantSweeper } from '../../../lib';
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import { seededRandom } from '../../../bench/random';
import { cleanEnvironment, programArguments, REPOSITORY } from '../../support/commands';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import type { TestApp } from '../../support/test-app';
import { act, type Action, APPLICATION_NAME, onFurtherServer } from './acting-app';
import { schemasOf, startAppOn } from './app';
import { StoreElsewhere } from './store-elsewhere';

const PROGRAM = join(__dirname, 'killed-program.ts');

/** Statements of each action in which it is killed; 0: in every one, which takes an hour. */
const KILLS = Number(process.env.TENANCY_TEST_KILLS ?? 1);
const SEED = Number(process.env.TENANCY_TEST_SEED ?? 20_260_101);

const OWN_NAME = /^t_[a-z0-9]{20}$/;

describe.each([
  [
    'the registry in the tenants’ database',
    'here',
    ['create', 'clone', 'adopt', 'import', 'delete', 'purge', 'refill'],
  ],
  ['a store elsewhere', 'store elsewhere', ['create', 'adopt', 'import', 'purge']],
  ['tenants on a further server', 'tenants elsewhere', ['create', 'clone', 'adopt', 'purge', 'refill']],
] as [string, 'here' | 'store elsewhere' | 'tenants elsewhere', Action[]][])(
  'a process killed at any statement, with %s',
  (_where, what, actions) => {
    /** Where the registry is. */
    let home: TestDatabase;
    /** Where the tenants are. */
    let database: TestDatabase;
    let elsewhere: TestDatabase | undefined;
    let store: StoreElsewhere | undefined;
    let running: TestApp;
    let count = 0;

    beforeAll(async () => {
      database = await createTestDatabase();
      home = what === 'tenants elsewhere' ? await createTestDatabase() : database;
      elsewhere = what === 'store elsewhere' ? await createTestDatabase() : undefined;
      store = elsewhere && (await StoreElsewhere.open(elsewhere.url));
      running = await startAppOn(home, {
        store,
        ...(euUrl() !== '' && onFurtherServer(euUrl())),
        sweeper: { intervalMs: 0, orphanAfterMs: 0 },
      });
      const source = await running.create({ slug: 'source' });
      await database.query(
        `INSERT INTO ${source.schemaName}.note (text) SELECT 'x' FROM generate_series(1, 100)`,
      );
    });
    afterAll(async () => {
      await running.close();
      await store?.close();
      await elsewhere?.drop();
      if (home !== database) await home.drop();
      await database.drop();
    });

    const euUrl = () => (home === database ? '' : database.url);

    /** What the action needs to be there. */
    async function prepare(action: Action, slug: string): Promise<void> {
      if (action === 'adopt')
        await database.query(
          `CREATE SCHEMA legacy_${slug}; CREATE TABLE legacy_${slug}.note (id serial PRIMARY KEY, text varchar NOT NULL);
         INSERT INTO legacy_${slug}.note (text) VALUES ('kept')`,
        );
      if (action === 'delete' || action === 'purge') await running.create({ slug });
      if (action === 'purge') await running.app.get(TenantLifecycle).delete(slug);
      if (action === 'refill')
        await database.query(`UPDATE tenancy.spares SET template_version = 'old' WHERE slot = 0`);
    }

    /** By a process of its own; whether it was killed before it had done all. */
    async function killedAt(killAt: number, action: Action, slug: string): Promise<boolean> {
      const urls = [home.url, elsewhere?.url ?? '', euUrl()];
      try {
        const args = programArguments(PROGRAM, ...urls, action, String(killAt), slug);
        await promisify(execFile)(process.execPath, args, {
          cwd: REPOSITORY,
          env: cleanEnvironment(),
        });
        return false;
      } catch (error) {
        if ((error as { signal?: string }).signal === 'SIGKILL') return true;
        throw error;
      }
    }

    /** How many statements it took. */
    const perform = (action: Action, slug: string): Promise<number> =>
      act({ url: home.url, storeUrl: elsewhere?.url ?? '', euUrl: euUrl(), action, slug });

    /** PostgreSQL goes on with a statement whose client is gone. */
    async function untilItsBackendsAreGone(): Promise<void> {
      for (const each of [home, database]) {
        const left = () =>
          each.query(
            `SELECT FROM pg_stat_activity WHERE application_name = '${APPLICATION_NAME}' AND datname = current_database()`,
          );
        while ((await left()).length > 0);
      }
    }

    async function allTenants(): Promise<Tenant[]> {
      return running.app.get(TenantStore).list({ limit: 1000 });
    }

    /** Every tenant in a declared state and with its schema, every schema somebody's, nothing half-done. */
    async function expectOrder(): Promise<void> {
      const tenants = await allTenants();
      const names = (await database.query<{ name: string }>('SELECT nspname AS name FROM pg_namespace')).map(
        ({ name }) => name,
      );
      for (const { schemaName, status } of tenants) {
        expect(['active', 'suspended', 'deleted']).toContain(status);
        expect(names).toContain(schemaName);
        await database.query(`SELECT id, text FROM "${schemaName}".note`);
      }
      const spares = await database.query<{ name: string }>('SELECT schema_name AS name FROM tenancy.spares');
      for (const { name } of spares) await database.query(`SELECT id, text FROM "${name}".note`);
      const owned = [...tenants.map(({ schemaName }) => schemaName), ...spares.map(({ name }) => name)];
      expect(
        (await schemasOf(database)).filter((name) => OWN_NAME.test(name) && !owned.includes(name)),
      ).toEqual([]);
      expect(new Set(owned).size).toBe(owned.length);
      await expect(home.query('SELECT FROM tenancy.purges WHERE finished_at IS NULL')).resolves.toEqual([]);
    }

    it.each(actions)(
      '%s: the next sweep brings every tenant to a declared state, and the action can be done again',
      async (action) => {
        const slug = () => `${action}${++count}`;
        const rehearsal = slug();
        await prepare(action, rehearsal);
        const statements = await perform(action, rehearsal);
        expect(statements).toBeGreaterThan(1);
        const random = seededRandom(SEED + statements);
        const all = Array.from({ length: statements }, (_, i) => i + 1);
        const picked = KILLS === 0 ? all : all.sort(() => random() - 0.5).slice(0, KILLS);
        let kills = 0;
        for (const killAt of picked) {
          const victim = slug();
          await prepare(action, victim);
          const wasKilled = await killedAt(killAt, action, victim);
          if (wasKilled) kills += 1;
          await untilItsBackendsAreGone();
          const { problems } = await running.app.get(TenantSweeper).sweep();
          try {
            expect(problems).toEqual([]);
            await expectOrder();
            if (action === 'adopt')
              await expect(database.query(`SELECT text FROM legacy_${victim}.note`)).resolves.toEqual([
                { text: 'kept' },
              ]);
            // It may have been just done when it was killed.
            const tenant = (await allTenants()).find((each) => each.slug === victim);
            const isDone = {
              create: tenant,
              clone: tenant,
              adopt: tenant,
              import: tenant,
              refill: true,
              delete: tenant?.status === 'deleted',
              purge: !tenant,
            };
            if (!isDone[action]) {
              await perform(action, victim);
              await expectOrder();
            }
            if (action === 'refill') await running.app.get(SpareRefill).refill();
          } catch (error) {
            throw new Error(
              `${action} killed at statement ${killAt} of ${statements} (${wasKilled ? 'in time' : 'too late'})`,
              {
                cause: error,
              },
            );
          }
        }
        // The last statement may be the end of it.
        expect(kills).toBeGreaterThan(0);
      },
      KILLS === 0 ? 3_600_000 : 300_000,
    );
  },
);
