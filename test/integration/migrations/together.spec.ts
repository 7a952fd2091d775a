import { setTimeout as wait } from 'node:timers/promises';
import type { Logger, MigrationInterface, QueryRunner } from 'typeorm';
import {
  FleetMigrator,
  type FleetMigrationOptions,
  type FleetReport,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantStore,
} from '../../../lib';
import { CreateNotes1700000000000 } from '../../support/notes';
import { type ProvisioningApp, startAppOn, startProvisioningApp } from '../provisioning/app';

const FLEET = 12;

const ADD = `ALTER TABLE note ADD COLUMN place text DEFAULT 'here'`;
const INDEX = 'CREATE INDEX by_place ON note (place)';
const send = (text: string) => async (queryRunner: QueryRunner) => void (await queryRunner.query(text));

/** What the two migrations do in the test that is under way. */
let place: (queryRunner: QueryRunner) => Promise<void>;
let index: (queryRunner: QueryRunner) => Promise<void>;

class AddPlace1700000001000 implements MigrationInterface {
  up = (queryRunner: QueryRunner) => place(queryRunner);
  down = send('ALTER TABLE note DROP COLUMN IF EXISTS place');
}

class IndexPlace1700000002000 implements MigrationInterface {
  up = (queryRunner: QueryRunner) => index(queryRunner);
  down = send('DROP INDEX IF EXISTS by_place');
}

/** Messages that several tenants share. */
class SharedMessages implements Logger {
  shared: number[] = [];
  /** How many of them have PostgreSQL read and plan the claim. */
  preparing = 0;

  logQuery(text: string): void {
    const begun = text.split('START TRANSACTION ISOLATION').length - 1;
    if (begun <= 1) return;
    this.shared.push(begun);
    if (text.includes('PREPARE "nestjs-tenancy-claim')) this.preparing++;
  }
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}

describe('Tenants for which a migration sends what it sent before', () => {
  let app: ProvisioningApp;
  let fleet: FleetMigrator;
  let tenants: Tenant[];
  const messages = new SharedMessages();
  const readTenants = async () => {
    const slugs = Array.from({ length: FLEET }, (_, i) => `tenant-${i}`);
    const store = app.app.get(TenantStore);
    return (await store.findMany(slugs.map((value) => ({ by: 'slug', value })))) as Tenant[];
  };

  beforeAll(async () => {
    place = send(ADD);
    index = send(INDEX);
    app = await startProvisioningApp({
      migrations: [CreateNotes1700000000000, AddPlace1700000001000, IndexPlace1700000002000],
      typeorm: { logger: messages, logging: ['query'] },
    });
    fleet = app.app.get(FleetMigrator);
    for (let i = 0; i < FLEET; i++) await app.create({ slug: `tenant-${i}` });
    tenants = await readTenants();
  });
  afterAll(() => app.close());

  beforeEach(async () => {
    for (const { schemaName } of tenants)
      await app.database.query(`ALTER TABLE ${schemaName}.note DROP COLUMN IF EXISTS place`);
    await app.database.query(`DELETE FROM tenancy.tenant_migrations WHERE name NOT LIKE 'CreateNotes%'`);
    messages.shared = [];
    messages.preparing = 0;
    place = send(ADD);
    index = send(INDEX);
  });

  const up = (options?: FleetMigrationOptions): Promise<FleetReport> =>
    fleet.up({ concurrency: 1, ...options });

  /** Of each tenant: whether it has the column and the index, and which entries the ledger has, the oldest first. */
  const found = async () => {
    const rows = await app.database.query<{ slug: string; has: string; ledger: string }>(`
      SELECT t.slug, concat_ws(' ',
          (SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(t.schema_name || '.note') AND attname = 'place'),
          (SELECT relname FROM pg_class WHERE oid = to_regclass(t.schema_name || '.by_place'))) AS has,
        (SELECT string_agg(CASE name WHEN 'AddPlace1700000001000' THEN 'place' ELSE 'by_place' END, ' ' ORDER BY name)
         FROM tenancy.tenant_migrations m WHERE m.tenant_id = t.id AND m.state = 'done' AND m.name NOT LIKE 'CreateNotes%') AS ledger
      FROM tenancy.tenants t ORDER BY t.id`);
    return rows.map(({ slug, has, ledger }) => ({ slug, has, ledger: ledger ?? '' }));
  };
  const all = 'place by_place';
  /** Whatever happens, a tenant has what the ledger says, and nothing else. */
  const expectToHave = async (has: (i: number) => string, ledger = has) => {
    const expected = tenants.map(({ slug }, i) => ({ slug, has: has(i), ledger: ledger(i) }));
    await expect(found()).resolves.toEqual(expected);
  };
  /** Runs PL/pgSQL for one tenant, wherever the table is altered. */
  const whenAltered = async (i: number, code: string) => {
    await app.database.query(`
      CREATE SEQUENCE public.attempts;
      CREATE FUNCTION public.react() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        IF pg_catalog.current_schema() = '${tenants[i].schemaName}' AND pg_catalog.nextval('public.attempts') > 0 THEN
          ${code};
        END IF; END $$;
      CREATE EVENT TRIGGER react ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION public.react();`);
    return async () => {
      await app.database.query('DROP EVENT TRIGGER react; DROP FUNCTION public.react()');
      const [{ n }] = await app.database.query<{ n: number }>(
        'SELECT last_value::int AS n FROM public.attempts',
      );
      await app.database.query('DROP SEQUENCE public.attempts');
      return n;
    };
  };

  it('are migrated in few messages, each migration with its entry in a transaction of its own', async () => {
    await expect(up()).resolves.toMatchObject({ state: 'done', done: FLEET, skipped: 0, failed: [] });
    await expectToHave(() => all);
    expect(messages.shared.length).toBeGreaterThan(0);
    expect(messages.shared.reduce((sum, each) => sum + each)).toBeGreaterThan(FLEET);
    const [{ transactions }] = await app.database.query<{ transactions: number }>(
      `SELECT count(DISTINCT xmin::text)::int AS transactions FROM tenancy.tenant_migrations WHERE name NOT LIKE 'CreateNotes%'`,
    );
    expect(transactions).toBe(2 * FLEET);
    const versions = (await readTenants()).map(({ schemaVersion }) => schemaVersion);
    expect(new Set(versions)).toEqual(new Set(['IndexPlace1700000002000']));
  });

  it('are asked for once each, also where a connection has served as many as it may in the middle of a message', async () => {
    const other = await startAppOn(app.database, {
      migrations: [CreateNotes1700000000000, AddPlace1700000001000, IndexPlace1700000002000],
      database: { maxTenantsPerConnection: 5 },
      typeorm: { logger: messages, logging: ['query'] },
    });
    try {
      const asked: string[] = [];
      place = (queryRunner) => {
        asked.push(other.app.get(TenantContext).tenant().slug);
        return send(ADD)(queryRunner);
      };
      await other.app.get(FleetMigrator).up({ concurrency: 1 });
      await expectToHave(() => all);
      expect(asked.sort()).toEqual(tenants.map(({ slug }) => slug).sort());
      expect(messages.shared).not.toEqual([]);
    } finally {
      await other.close();
    }
  });

  it('are claimed by a statement that PostgreSQL reads once, as long as nobody else wants the connection', async () => {
    await up();
    expect(messages.shared).not.toEqual([]);
    expect(messages.preparing).toBe(1);
  });

  it('give their only connection to a request that waits for one, between two messages', async () => {
    const other = await startAppOn(app.database, {
      migrations: [CreateNotes1700000000000, AddPlace1700000001000, IndexPlace1700000002000],
      database: { poolSize: 1 },
      typeorm: { logger: messages, logging: ['query'] },
    });
    try {
      let finished = 0;
      let request: Promise<number> | undefined;
      const onProgress = (now: number) => {
        finished = now;
        // Two have just shared a message, and more are to come.
        if (now === 5)
          request = other.app
            .get(TenantContext)
            .run(tenants[0], () => other.app.get(TenantConnection).query('SELECT 1'))
            .then(() => finished);
      };
      const report = await other.app.get(FleetMigrator).up({ concurrency: 1, onProgress });
      expect(report).toMatchObject({ state: 'done', done: FLEET });
      await expect(request).resolves.toBeLessThan(FLEET);
      await expectToHave(() => all);
    } finally {
      await other.close();
    }
  });

  it('lose it together, too, and are told of it in the same transaction', async () => {
    await up();
    messages.shared = [];
    await expect(fleet.down({ concurrency: 1 })).resolves.toMatchObject({ state: 'done', done: FLEET });
    expect(messages.shared.length).toBeGreaterThan(0);
    await expectToHave(() => 'place');
  });

  it('stop at the one that fails: those before it are kept, none behind it is begun', async () => {
    await app.database.query(`ALTER TABLE ${tenants[7].schemaName}.note ADD COLUMN place text`);
    const report = await up();
    expect(report).toMatchObject({ state: 'halted', done: 7, skipped: 0, notReached: FLEET - 8 });
    expect(report.failed).toMatchObject([
      { slug: 'tenant-7', message: expect.stringContaining('already exists'), statement: ADD },
    ]);
    await app.database.query(`ALTER TABLE ${tenants[7].schemaName}.note DROP COLUMN place`);
    await expectToHave((i) => (i < 7 ? all : ''));
    await expect(up()).resolves.toMatchObject({ state: 'done', done: FLEET - 7 });
    await expectToHave(() => all);
  });

  it('go on past one that fails in its second migration, which keeps the first', async () => {
    await app.database.query(`CREATE TABLE ${tenants[5].schemaName}.by_place ()`);
    const report = await up({ maxFailures: 1 });
    expect(report).toMatchObject({ state: 'failed', done: FLEET - 1, failed: [{ slug: 'tenant-5' }] });
    await app.database.query(`DROP TABLE ${tenants[5].schemaName}.by_place`);
    await expectToHave((i) => (i === 5 ? 'place' : all));
  });

  it('leave out one whose schema is gone, and touch nothing in its stead', async () => {
    const { schemaName } = tenants[6];
    await app.database.query(`ALTER SCHEMA ${schemaName} RENAME TO away`);
    const report = await up({ maxFailures: 1 });
    await app.database.query(`ALTER SCHEMA away RENAME TO ${schemaName}`);
    expect(report).toMatchObject({
      done: FLEET - 1,
      failed: [
        {
          slug: 'tenant-6',
          message: expect.stringMatching(/^The schema "t_\w+" of tenant "tenant-6" is gone/),
        },
      ],
    });
    await expectToHave((i) => (i === 6 ? '' : all));
  });

  it('leave out one that somebody else has migrated meanwhile', async () => {
    let isFirst = true;
    place = async (queryRunner) => {
      if (isFirst) {
        isFirst = false;
        await app.database.query(
          `INSERT INTO tenancy.tenant_migrations (tenant_id, name, timestamp, state)
           SELECT id, brought, 1, 'done' FROM tenancy.tenants, unnest(ARRAY['AddPlace1700000001000', 'IndexPlace1700000002000']) AS brought
           WHERE slug = 'tenant-6'`,
        );
      }
      await queryRunner.query(ADD);
    };
    await expect(up()).resolves.toMatchObject({ state: 'done', done: FLEET - 1, skipped: 1, failed: [] });
    const seen = await found();
    expect(seen[6]).toMatchObject({ has: '' });
    expect(seen.filter(({ has }) => has === all)).toHaveLength(FLEET - 1);
  });

  it.each([
    ['is the victim of a deadlock', `IF lastval() = 1 THEN RAISE deadlock_detected; END IF`],
    [
      'loses the connection',
      `IF lastval() = 1 THEN PERFORM pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid()); END IF`,
    ],
  ])('are all migrated when one in their middle %s', async (_what, code) => {
    const attempts = await whenAltered(6, code);
    const report = await up();
    await expect(attempts()).resolves.toBe(2);
    expect(report).toMatchObject({ state: 'done', failed: [] });
    expect(report.done + report.skipped).toBe(FLEET);
    await expectToHave(() => all);
  });

  it('keep nothing of one in which the statement changes the path, which it did not do before', async () => {
    const attempts = await whenAltered(6, `PERFORM pg_catalog.set_config('search_path', 'public', true)`);
    const report = await up({ maxFailures: 1 });
    await attempts();
    expect(report.failed).toMatchObject([
      { slug: 'tenant-6', message: expect.stringContaining('it changed search_path to public') },
    ]);
    await expectToHave((i) => (i === 6 ? '' : all));
  });

  it('are asked by themselves where the migration does something else', async () => {
    const context = app.app.get(TenantContext);
    place = async (queryRunner) => {
      await queryRunner.query(ADD);
      if (context.tenant().slug === 'tenant-5')
        await queryRunner.query(`COMMENT ON COLUMN note.place IS 'here'`);
      if (context.tenant().slug === 'tenant-8')
        await queryRunner.query('UPDATE note SET place = $1', ['there']);
    };
    await expect(up()).resolves.toMatchObject({ state: 'done', done: FLEET });
    await expectToHave(() => all);
    const comments = await app.database.query(
      `SELECT objoid::regclass::text AS it FROM pg_description WHERE classoid = 'pg_class'::regclass AND description = 'here'`,
    );
    expect(comments).toEqual([{ it: `${tenants[5].schemaName}.note` }]);
  });

  it.each<[string, (queryRunner: QueryRunner) => Promise<unknown>]>([
    ['waits for something else', () => wait(1)],
    ['looks at something', (queryRunner) => queryRunner.hasColumn('note', 'place')],
    ['takes the connection', (queryRunner) => queryRunner.connect()],
    ['writes rows', (queryRunner) => queryRunner.query(`UPDATE note SET place = 'there'`)],
    [
      'sends more than one statement at once',
      (queryRunner) => queryRunner.query('CREATE TABLE a (); DROP TABLE a'),
    ],
  ])('go one after the other when a migration %s', async (_what, more) => {
    let running = 0;
    let calls = 0;
    place = async (queryRunner) => {
      calls++;
      expect(++running).toBe(1);
      await queryRunner.query(ADD);
      await more(queryRunner);
      running--;
    };
    index = async () => {};
    await expect(up()).resolves.toMatchObject({ state: 'done', done: FLEET, failed: [] });
    expect(messages.shared).toEqual([]);
    expect(calls).toBe(FLEET);
    await expectToHave(
      () => 'place',
      () => all,
    );
  });
});
