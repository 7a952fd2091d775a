import { PassThrough } from 'node:stream';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  type Move,
  MoveSweeper,
  TenantConnection,
  TenantContext,
  TenantEvents,
  TenantExport,
  TenantLifecycle,
  TenantMover,
  TenantProvisioner,
  TenantPurge,
  TenantStore,
  type Tenant,
} from '../../../lib';
import { hearing } from '../../support/change-feed';
import { CreateNotes1700000000000 } from '../../support/notes';
import { startWorld, type World } from '../servers/world';

/** One of each that a copy can get wrong: keys between tables, numbers, what is computed, what is kept elsewhere. */
class CreateShop1700000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TYPE colour AS ENUM ('red', 'green');
      CREATE TABLE parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, colour colour, doubled int GENERATED ALWAYS AS (id * 2) STORED);
      CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parent, note text CHECK (note <> ''));
      CREATE INDEX ON child (parent_id);
      CREATE SEQUENCE invoice START 1000;
      CREATE MATERIALIZED VIEW reds AS SELECT id FROM parent WHERE colour = 'red';
      CREATE FUNCTION how_many() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM child';
      CREATE VIEW notes AS SELECT text FROM note;
      CREATE VIEW inbox AS SELECT ''::text AS text;
      CREATE RULE keep AS ON INSERT TO inbox DO INSTEAD INSERT INTO note (text) VALUES (NEW.text);
      CREATE FUNCTION add_note(t text) RETURNS void BEGIN ATOMIC INSERT INTO note (text) VALUES (t); END;`);
  }

  async down(): Promise<void> {}
}

const MIGRATIONS = [CreateNotes1700000000000, CreateShop1700000000001];

let world: World;
beforeAll(async () => {
  world = await startWorld({
    migrations: MIGRATIONS,
    sharedSchemas: ['shared'],
    sweeper: { intervalMs: 0 },
    moves: { drainMs: 600, waitMs: 2_000 },
  });
  await world.eu.query('CREATE SCHEMA shared');
});
afterAll(() => world.close());

const mover = () => world.app.get(TenantMover);
const query = <T = Record<string, unknown>>(tenant: Tenant, sql: string): Promise<T[]> =>
  world.app.get(TenantContext).run(tenant, () => world.app.get(TenantConnection).query<T[]>(sql));
const find = async (slug: string) =>
  (await world.app.get<TenantStore>(TenantStore).find({ by: 'slug', value: slug }))!;
const EU = { server: 'eu' };

async function shop(slug: string): Promise<Tenant> {
  const tenant = await world.create({ slug });
  await query(
    tenant,
    `INSERT INTO parent (colour) SELECT CASE WHEN i % 2 = 0 THEN 'red'::colour ELSE 'green' END FROM generate_series(1, 10) i;
     INSERT INTO child SELECT i, i % 10 + 1, E'tab\\t, line\\n and ${slug} ' || i FROM generate_series(1, 500) i;
     REFRESH MATERIALIZED VIEW reds;
     SELECT nextval('invoice'), nextval('invoice')`,
  );
  return tenant;
}

const PRINT = `SELECT (SELECT md5(string_agg(c::text, ',' ORDER BY id)) FROM child c) AS children,
  (SELECT json_agg(p ORDER BY id) FROM parent p) AS parents, (SELECT count(*)::int FROM reds) AS reds, how_many()::int AS many`;

it('moves a tenant with all that it has, there and back, and tells of it', async () => {
  const tenant = await shop('acme');
  const before = await query(tenant, PRINT);
  const events: string[] = [];
  for (const event of ['moving', 'moved'] as const)
    world.app.get(TenantEvents).on(event, ({ place }) => events.push(`${event} ${place.server}`));
  const states: string[] = [];
  const onProgress = ({ state }: Move) => states.at(-1) !== state && void states.push(state);
  const move = await mover().move('acme', EU, { actor: 'ops', verify: 'rows', onProgress });
  expect(move).toMatchObject({
    ...{ tenantId: tenant.id, state: 'done', actor: 'ops', how: 'stop', verify: 'rows', reason: undefined },
    fallback: 'the server "default" has wal_level = replica, and needs logical',
    from: { server: 'default', isolation: 'schema' },
    to: { server: 'eu', isolation: 'schema' },
    progress: { tables: 3, ofTables: 3, rows: 510 },
  });
  expect(states).toEqual(['planned', 'copying', 'fencing', 'cleaning']);
  expect(events).toEqual(['moving default', 'moved eu']);
  expect(await query(tenant, PRINT)).toEqual(before);
  expect(await query(tenant, `SELECT nextval('invoice')::int AS number`)).toEqual([{ number: 1002 }]);
  expect(await query(tenant, `INSERT INTO parent (colour) VALUES ('red') RETURNING id`)).toEqual([
    { id: 11 },
  ]);
  const moved = await find('acme');
  expect(moved).toMatchObject({ place: { server: 'eu', isolation: 'schema' }, version: tenant.version + 1 });
  expect(
    await world.eu.query(`SELECT obj_description('${tenant.schemaName}'::regnamespace) AS comment`),
  ).toEqual([{ comment: expect.stringMatching(/^tenant acme; registry /) as string }]);
  expect(
    await world.eu.query('SELECT name FROM tenancy.tenant_migrations WHERE tenant_id = $1', [tenant.id]),
  ).toHaveLength(2);
  expect(await mover().find(move.id)).toEqual(move);

  const states2: string[] = [];
  await mover().move(
    tenant.id,
    { server: 'default' },
    { onProgress: ({ state }) => void states2.push(state) },
  );
  expect(states2).toContain('switching');
  expect(await query(tenant, 'SELECT count(*)::int AS count FROM parent')).toEqual([{ count: 11 }]);
  expect((await mover().list('acme')).map(({ to }) => to.server)).toEqual(['default', 'eu']);
  // What the first move had left is in the way of a third one.
  await mover().move('acme', EU);
  expect(await query(moved, 'SELECT count(*)::int AS count FROM parent')).toEqual([{ count: 11 }]);
});

it('keeps what it has left at the old place for as long as it is told, by the clock of the database', async () => {
  const tenant = await shop('kept');
  const { id } = await mover().move('kept', EU);
  const sweep = () => world.app.get(MoveSweeper).sweep();
  const left = () =>
    world.database.query(`SELECT FROM pg_namespace WHERE nspname = 'moved_${tenant.schemaName}'`);
  jest.useFakeTimers({
    now: Date.now() + 90 * 86_400_000,
    doNotFake: [
      'nextTick',
      'setImmediate',
      'setTimeout',
      'clearTimeout',
      'setInterval',
      'clearInterval',
      'performance',
    ],
  });
  expect((await sweep()).dropped).toEqual([]);
  jest.useRealTimers();
  expect(await left()).toHaveLength(1);
  await world.database.query(`UPDATE tenancy.moves SET drop_after = now() - interval '1 s' WHERE id = $1`, [
    id,
  ]);
  const { dropped, problems } = await sweep();
  expect([dropped.map((each) => each.id), problems]).toEqual([[id], []]);
  expect(await left()).toEqual([]);
  expect(await query(tenant, 'SELECT how_many()::int AS many')).toEqual([{ many: 500 }]);
});

it('drops nothing outside of what it has left', async () => {
  const tenant = await shop('seen');
  const { id } = await mover().move('seen', EU);
  await world.database.query(
    `CREATE SCHEMA reporting; CREATE TABLE reporting.kept (colour moved_${tenant.schemaName}.colour, text text)`,
  );
  await world.database.query(`UPDATE tenancy.moves SET drop_after = now() WHERE id = $1`, [id]);
  const { problems } = await world.app.get(MoveSweeper).sweep();
  expect(problems).toEqual([expect.stringMatching(/table reporting.kept would be dropped/) as string]);
  await world.database.query('DROP TABLE reporting.kept');
  expect((await world.app.get(MoveSweeper).sweep()).dropped).toHaveLength(1);
});

it('never drops a schema with that name that is not its own', async () => {
  const tenant = await shop('careful');
  const { id } = await mover().move('careful', EU);
  await world.database.query(`COMMENT ON SCHEMA moved_${tenant.schemaName} IS 'mine'`);
  await world.database.query(`UPDATE tenancy.moves SET drop_after = now() WHERE id = $1`, [id]);
  await world.app.get(MoveSweeper).sweep();
  expect(
    await world.database.query(`SELECT FROM pg_namespace WHERE nspname = 'moved_${tenant.schemaName}'`),
  ).toHaveLength(1);
});

it('gives up when a transaction keeps writing, says which, and leaves the tenant as it was', async () => {
  const tenant = await shop('busy');
  const failed: Tenant[] = [];
  world.app.get(TenantEvents).on('move-failed', (each) => failed.push(each));
  await world.app.get(TenantContext).run(tenant, () =>
    world.app.get(TenantConnection).transaction(async (manager) => {
      await manager.query(`INSERT INTO note (text) VALUES ('slow')`);
      await expect(mover().move('busy', EU)).rejects.toMatchObject({
        code: 'MOVE_FAILED',
        message: expect.stringMatching(/600 ms.*process \d+, idle in transaction/s) as string,
      });
    }),
  );
  expect(await query(tenant, 'SELECT text FROM note')).toEqual([{ text: 'slow' }]);
  expect(failed.map(({ slug, place }) => [slug, place.server])).toEqual([['busy', 'default']]);
  await expect(mover().move('busy', EU)).resolves.toMatchObject({ state: 'done' });
});

it('lets readers read until the tenant is put away; what waits then is done at the new place, or told to come again', async () => {
  const tenant = await shop('readers');
  const reads: unknown[] = [];
  const writes: Promise<unknown>[] = [];
  const write = (text: string) => query(tenant, `INSERT INTO note (text) VALUES ('${text}')`);
  await mover().move('readers', EU, {
    onProgress: async ({ state, progress }) => {
      if (state === 'copying' && progress.tables === 0) {
        // Until the tables are locked, it is done as ever.
        await write('before');
      }
      // Now they are locked.
      if (progress.tables === 3 && state === 'copying')
        reads.push(await query(tenant, 'SELECT how_many()::int AS many'));
      if (state !== 'fencing') return;
      await hearing(world);
      writes.push(write('waits in the router'));
    },
  });
  await Promise.all(writes);
  expect(reads).toEqual([[{ many: 500 }]]);
  expect(await world.eu.query(`SELECT text FROM ${tenant.schemaName}.note ORDER BY id`)).toEqual([
    { text: 'before' },
    { text: 'waits in the router' },
  ]);
});

it('refuses at the end what has waited for the lock in PostgreSQL, and loses no write that was answered', async () => {
  const tenant = await shop('writers');
  const outcomes: Promise<string>[] = [];
  let count = 0;
  const write = () => {
    const text = `write ${(count += 1)}`;
    return query(tenant, `INSERT INTO note (text) VALUES ('${text}')`).then(
      () => text,
      ({ code }) => code as string,
    );
  };
  let isOver = false;
  const writing = (async () => {
    while (!isOver) {
      const outcome = write();
      outcomes.push(outcome);
      await outcome;
    }
  })();
  await mover().move('writers', EU);
  isOver = true;
  await writing;
  outcomes.push(write());
  const answers = await Promise.all(outcomes);
  const refused = answers.filter((each) => !each.startsWith('write'));
  expect(new Set(refused)).toEqual(new Set(refused.length > 0 ? ['TENANT_MOVED'] : []));
  const rows = await world.eu.query<{ text: string }>(`SELECT text FROM ${tenant.schemaName}.note`);
  const kept = rows.map(({ text }) => text).sort();
  expect(kept).toEqual(answers.filter((each) => each.startsWith('write')).sort());
});

it('refuses as well what knows the tables by number: views, rules, functions of SQL, and cursors', async () => {
  const tenant = await shop('numbers');
  const outcome = (work: Promise<unknown>) =>
    work.then(
      () => 'written',
      ({ code }) => code as string,
    );
  let opened!: () => void;
  const isOpen = new Promise<void>((resolve) => (opened = resolve));
  let end!: () => void;
  const isMoved = new Promise<void>((resolve) => (end = resolve));
  const reading = world.app.get(TenantContext).run(tenant, () =>
    world.app.get(TenantConnection).transaction(async (manager) => {
      await manager.query(
        `DECLARE writer CURSOR FOR SELECT add_note('by cursor') FROM generate_series(1, 3)`,
      );
      opened();
      await isMoved;
      await manager.query('FETCH 1 FROM writer');
    }),
  );
  const outcomes: Promise<string>[] = [outcome(reading)];
  await isOpen;
  await mover().move('numbers', EU, {
    onProgress: async ({ state, progress }) => {
      if (state !== 'copying' || progress.tables !== 3) return;
      for (const sql of [
        `INSERT INTO notes VALUES ('by view')`,
        `INSERT INTO inbox VALUES ('by rule')`,
        `SELECT add_note('by function')`,
      ])
        outcomes.push(outcome(query(tenant, sql)));
      const waiting = () =>
        world.database.query(
          `SELECT FROM pg_locks WHERE NOT granted AND relation = '${tenant.schemaName}.note'::regclass`,
        );
      for (let tries = 0; tries < 500 && (await waiting()).length < 3; tries += 1);
    },
  });
  end();
  expect(await Promise.all(outcomes)).toEqual(Array(4).fill('TENANT_MOVED'));
  const kept = `moved_${tenant.schemaName}.note`;
  expect(await world.database.query(`SELECT text FROM ${kept}`)).toEqual([]);
  expect(await query(tenant, 'SELECT text FROM note')).toEqual([]);
});

it('does not leave a table behind that is made while it copies', async () => {
  const tenant = await shop('builder');
  let end!: () => void;
  const isOver = new Promise<void>((resolve) => (end = resolve));
  let building: Promise<unknown> | undefined;
  const move = mover().move('builder', EU, {
    onProgress: ({ state, progress }) => {
      if (state !== 'copying' || progress.tables !== 1) return undefined;
      return new Promise<void>((resolve) => {
        building = world.app.get(TenantContext).run(tenant, () =>
          world.app.get(TenantConnection).transaction(async (manager) => {
            await manager.query(`CREATE TABLE extra AS SELECT 'kept' AS text`);
            resolve();
            await isOver;
          }),
        );
      });
    },
  });
  await expect(move).rejects.toMatchObject({
    code: 'MOVE_FAILED',
    message: expect.stringContaining('made tables') as string,
  });
  end();
  await building;
  expect(await query(tenant, 'SELECT text FROM extra')).toEqual([{ text: 'kept' }]);
});

it('stops when it is cancelled, and leaves nothing at the new place', async () => {
  const tenant = await shop('cancelled');
  const onProgress = async ({ id, state }: Move) => {
    if (state === 'copying') await mover().cancel(id, { actor: 'boss' });
  };
  await expect(mover().move('cancelled', EU, { onProgress })).rejects.toMatchObject({
    code: 'MOVE_FAILED',
    move: { state: 'failed', cancelledBy: 'boss', reason: 'It was cancelled by boss.' },
  });
  expect(await world.eu.query('SELECT FROM pg_namespace WHERE nspname = $1', [tenant.schemaName])).toEqual(
    [],
  );
  expect(await query(tenant, 'SELECT how_many()::int AS many')).toEqual([{ many: 500 }]);
  const { id } = await mover().move('cancelled', EU);
  await expect(mover().cancel(id)).rejects.toMatchObject({ code: 'MOVE_NOT_POSSIBLE', statusCode: 409 });
  await expect(mover().cancel('01900000-0000-7000-8000-000000000000')).rejects.toMatchObject({
    code: 'MOVE_NOT_FOUND',
  });
});

it('keeps a purge, a clone, an export and another move away while it is under way', async () => {
  await shop('alone');
  const { app } = world;
  const refused: unknown[] = [];
  const attempt = (work: Promise<unknown>) =>
    work.then(
      () => refused.push('done'),
      ({ code }) => refused.push(code),
    );
  await mover().move('alone', EU, {
    onProgress: async ({ state }) => {
      if (state !== 'planned') return;
      await attempt(app.get(TenantProvisioner).clone('alone', 'copy-of-it'));
      await attempt(app.get(TenantExport).export('alone', new PassThrough().resume()));
      await attempt(mover().move('alone', EU));
      await app.get(TenantLifecycle).delete('alone');
      await attempt(app.get(TenantPurge).purge('alone'));
    },
  });
  expect(refused).toEqual(['MOVE_UNDER_WAY', 'MOVE_UNDER_WAY', 'MOVE_UNDER_WAY', 'MOVE_UNDER_WAY']);
  // Nothing of a tenant that is purged is kept for long.
  await app.get(TenantPurge).purge('alone');
  expect((await app.get(MoveSweeper).sweep()).dropped).toHaveLength(1);
});

describe('what cannot be moved is refused before anything is copied', () => {
  const refusal = (slug: string, place: Parameters<TenantMover['move']>[1] = EU) =>
    mover()
      .move(slug, place)
      .then(
        () => 'moved',
        ({ code, message }) => `${code}: ${message}`,
      );

  it('because it is there already, or there is no such server, or no such tenant', async () => {
    await shop('refused');
    expect(await refusal('refused', { server: 'default' })).toMatch(
      'MOVE_NOT_POSSIBLE: The tenant "refused" lives there already',
    );
    expect(await refusal('refused', { server: 'us' })).toMatch('PLACE_NOT_POSSIBLE');
    expect(await refusal('nobody')).toMatch('TENANT_NOT_FOUND');
  });

  it('because of an extension, a collation or a migration that the server lacks, all at once', async () => {
    const tenant = await shop('needy');
    await world.database.query(`CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext`);
    await world.database.query(`ALTER TABLE ${tenant.schemaName}.note ADD COLUMN other ext.citext`);
    await world.database.query(`CREATE COLLATION ext.klingon (provider = icu, locale = 'de')`);
    await world.database.query(
      `ALTER TABLE ${tenant.schemaName}.note ADD COLUMN third text COLLATE ext.klingon`,
    );
    await world.database.query(
      `INSERT INTO tenancy.tenant_migrations (tenant_id, name, timestamp, state) VALUES ($1, 'Later1', 9, 'done')`,
      [tenant.id],
    );
    const said = await refusal('needy');
    for (const what of ['the extension "citext"', 'the collation "klingon"', 'the migration Later1'])
      expect(said).toContain(what);
    expect(await mover().list('needy')).toEqual([]);
  });

  it('because of what depends on it elsewhere, or has a name that a shared schema has, too', async () => {
    const tenant = await shop('named');
    await world.database.query(
      `CREATE VIEW public.seen AS SELECT text FROM ${tenant.schemaName}.note; CREATE TABLE shared.child (id int)`,
    );
    const said = await refusal('named');
    expect(said).toMatch(/view (public\.)?seen depends on the tenant's schema/);
    expect(said).toContain('a shared schema has "child", too');
    await world.database.query('DROP VIEW public.seen; DROP TABLE shared.child');
  });

  it('because a migration run is under way', async () => {
    await shop('migrated');
    const [{ id }] = await world.database.query<{ id: string }>(
      `INSERT INTO tenancy.migration_runs (id, direction, state, holder, migrations, lease_until)
       VALUES (gen_random_uuid(), 'up', 'running', 'a host', '[]', now() + interval '1 h') RETURNING id`,
    );
    expect(await refusal('migrated')).toMatch(/MOVE_NOT_POSSIBLE: A migration run is under way/);
    await world.database.query('DELETE FROM tenancy.migration_runs WHERE id = $1', [id]);
  });

  it('because it is on its way already', async () => {
    await shop('twice');
    const outcomes = await Promise.all([refusal('twice'), refusal('twice')]);
    expect(outcomes.sort()).toEqual([expect.stringMatching(/^MOVE_UNDER_WAY/), 'moved']);
  });
});
