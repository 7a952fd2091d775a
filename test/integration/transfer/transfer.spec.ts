import { PassThrough, Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  FleetMigrator,
  type ImportOptions,
  type Tenant,
  TenantExport,
  TenantImport,
  TenantLifecycle,
  TenantProvisioner,
} from '../../../lib';
import { RunningSeal } from '../../../lib/transfer/export-format';
import { seededRandom } from '../../../bench/random';
import { EVERY_OBJECT, SURROUNDINGS } from '../../support/every-object/every-object';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { schemasOf, startAppOn } from '../provisioning/app';
import { REFUSED, startRolesApp } from '../roles/app';

class CreateValues1700000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TYPE mood AS ENUM ('good', 'bad');
      CREATE TABLE "every ""value""" (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text, bytes bytea, moment timestamptz, span interval,
        double double precision, exact numeric, document jsonb, list text[], mood mood, cash money,
        doubled integer GENERATED ALWAYS AS (id * 2) STORED, note_id integer REFERENCES note
      );
      CREATE TABLE no_columns ();
      CREATE TABLE parts (id integer, place text) PARTITION BY LIST (place);
      CREATE TABLE parts_here PARTITION OF parts FOR VALUES IN ('here');
      CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
      CREATE TABLE log (note_id integer);
      CREATE FUNCTION write_log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (new.id); RETURN new; END $$;
      CREATE TRIGGER logged AFTER INSERT ON note FOR EACH ROW EXECUTE FUNCTION write_log()`);
  }

  async down(): Promise<void> {}
}

class CreateEverything1700000002000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(Object.values(EVERY_OBJECT).join('\n'));
  }

  async down(): Promise<void> {}
}

const VALUES = `
  INSERT INTO note (text) VALUES ('one'), ('two');
  DELETE FROM log WHERE note_id = 2;
  INSERT INTO "every ""value""" (text, bytes, moment, span, double, exact, document, list, mood, cash, note_id) VALUES
    (E'tab\\t line\\n back\\\\slash \\\\. \\\\N "quoted" größe 🫖 \\r', '\\x00ff5c', '2026-01-31 23:59:59.123456+00', '1 month 2 days 03:04:05.6',
     0.1 + 0.2::double precision, 1e-30, '{"a": ["\\\\", null]}', ARRAY['x,y', NULL, '"'], 'bad', '1234.56', 1),
    (NULL, NULL, 'infinity', NULL, 'NaN', 'NaN', 'null', '{}', NULL, NULL, NULL), ('', '', NULL, '0', '-Infinity', 0, NULL, NULL, 'good', NULL, 2);
  INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
  INSERT INTO parts VALUES (1, 'here'), (2, 'there'), (3, NULL)`;

const MIGRATIONS = [CreateNotes1700000000000, CreateValues1700000001000];
const KEY = 'a key that seals exports, of 32 characters or more';

let here: TestDatabase;
let there: TestDatabase;
let source: TestApp;
let target: TestApp;
let acme: Tenant;
let file: Buffer;

beforeAll(async () => {
  [here, there] = [await createTestDatabase(), await createTestDatabase()];
  const sweeper = { intervalMs: 0 };
  source = await startAppOn(here, { migrations: MIGRATIONS, sweeper });
  target = await startAppOn(there, { migrations: MIGRATIONS, sweeper });
  acme = await source.app
    .get(TenantProvisioner)
    .create({ slug: 'acme', name: 'Acme Inc.', metadata: { plan: 'gold' }, domains: ['acme.test'] });
  await here.query(`SET search_path = ${acme.schemaName}; ${VALUES}`);
  file = await exported('acme');
});
afterAll(async () => {
  await source?.close();
  await target?.close();
  await here?.drop();
  await there?.drop();
});

async function exported(slug: string, options = {}, app = source): Promise<Buffer> {
  const sink = new PassThrough();
  const [bytes] = await Promise.all([buffer(sink), app.app.get(TenantExport).export(slug, sink, options)]);
  return bytes;
}

/** In pieces of a size that cuts every section. */
const pieces = (bytes: Buffer) =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(i * 7, i * 7 + 7)),
  );

const imported = (bytes: Buffer, options: ImportOptions = {}) =>
  target.app.get(TenantImport).import(pieces(bytes), options);

async function rowsOf(database: TestDatabase, schemaName: string): Promise<unknown> {
  const tables = ['note', '"every ""value"""', 'parts_here', 'parts_rest', 'log'];
  const rows: Record<string, unknown> = {};
  for (const table of tables)
    rows[table] = await database.query(`SELECT t::text FROM ${schemaName}.${table} t ORDER BY 1`);
  rows.noColumns = await database.query(`SELECT count(*) FROM ${schemaName}.no_columns`);
  rows.sequence = await database.query(`SELECT nextval('${schemaName}."every ""value""_id_seq"')`);
  return rows;
}

/** Nothing is left of an import that failed. */
async function expectNothingLeft(work: () => Promise<unknown>, error: object): Promise<void> {
  const before = [await schemasOf(there), await there.query('SELECT id FROM tenancy.tenants ORDER BY id')];
  await expect(work()).rejects.toMatchObject(error);
  expect([await schemasOf(there), await there.query('SELECT id FROM tenancy.tenants ORDER BY id')]).toEqual(
    before,
  );
}

describe('a tenant that is exported and imported elsewhere', () => {
  it('has its structure, every value of every row, its metadata and what it has seen', async () => {
    const { tenant, tables, rows, verification } = await imported(file);
    expect(tenant).toMatchObject({
      slug: 'acme',
      name: 'Acme Inc.',
      status: 'active',
      metadata: { plan: 'gold' },
      domains: [],
    });
    expect(tenant.id).not.toBe(acme.id);
    expect(tenant.templateVersion).toBe(acme.templateVersion);
    expect(tenant.schemaVersion).toBe('CreateValues1700000001000');
    expect(verification).toBe('fingerprint');
    expect(tables).toEqual({
      note: 2,
      'every "value"': 3,
      no_columns: 2,
      parts_here: 1,
      parts_rest: 2,
      log: 1,
    });
    expect(rows).toBe(11);
    expect(await rowsOf(there, tenant.schemaName)).toEqual(await rowsOf(here, acme.schemaName));
    const seen = (database: TestDatabase, id: string) =>
      database.query(
        'SELECT name, timestamp, checksum, state FROM tenancy.tenant_migrations WHERE tenant_id = $1 ORDER BY name',
        [id],
      );
    expect(await seen(there, tenant.id)).toEqual(await seen(here, acme.id));
    const [event] = await there.query('SELECT type FROM tenancy.tenant_event_outbox WHERE tenant_id = $1', [
      tenant.id,
    ]);
    expect(event).toEqual({ type: 'tenant.imported' });
  });

  it('may have another slug and name, and be imported next to where it was', async () => {
    const { tenant } = await source.app
      .get(TenantImport)
      .import(pieces(file), { slug: 'copy', name: 'A copy' });
    expect(tenant).toMatchObject({ slug: 'copy', name: 'A copy', domains: [] });
  });

  it('keeps its id and its domains when it has moved for good, and only where the id was never used', async () => {
    const { tenant } = await imported(file, { slug: 'moved', keepId: true, domains: true });
    expect(tenant).toMatchObject({ id: acme.id, domains: ['acme.test'] });
    await expectNothingLeft(() => imported(file, { slug: 'again', keepId: true }), {
      code: 'PROVISIONING_FAILED',
    });
    await expectNothingLeft(() => imported(file, { slug: 'again', domains: true }), { code: 'DOMAIN_TAKEN' });
    await expectNothingLeft(() => imported(file, { slug: 'moved' }), { code: 'TENANT_SLUG_TAKEN' });
    await expectNothingLeft(() => imported(file, { slug: 'www' }), { code: 'TENANT_SLUG_RESERVED' });
    await expectNothingLeft(() => imported(file, { slug: `a'b` }), { code: 'VALIDATION_FAILED' });
  });

  it('comes back suspended when it was not active: also one that was deleted, as an archive', async () => {
    await source.app.get(TenantProvisioner).create({ slug: 'gone' });
    await source.app.get(TenantLifecycle).delete('gone');
    const { tenant } = await imported(await exported('gone'));
    expect(tenant.status).toBe('suspended');
  });

  it('is brought on by the next migration, if it has not seen it', async () => {
    class AddPlace1700000009000 implements MigrationInterface {
      up = (queryRunner: QueryRunner) =>
        queryRunner.query(`ALTER TABLE note ADD COLUMN place text DEFAULT 'here'`);
      down = () => Promise.resolve();
    }
    const elsewhere = await createTestDatabase();
    const newer = await startAppOn(elsewhere, { migrations: [...MIGRATIONS, AddPlace1700000009000] });
    try {
      const { tenant } = await newer.app.get(TenantImport).import(pieces(file));
      expect(tenant.templateVersion).toBeNull();
      expect(await newer.app.get(FleetMigrator).up()).toMatchObject({ state: 'done', done: 1 });
      const rows = await elsewhere.query(`SELECT place FROM ${tenant.schemaName}.note`);
      expect(rows).toEqual([{ place: 'here' }, { place: 'here' }]);
    } finally {
      await newer.close();
      await elsewhere.drop();
    }
  });

  it('has a role of its own where tenants have one', async () => {
    const roles = await startRolesApp();
    try {
      const from = await roles.create({ slug: 'acme' });
      await roles.as(from, `INSERT INTO note (text) VALUES ('tea')`);
      const bytes = await exported('acme', {}, roles);
      const { tenant, verification } = await roles.app
        .get(TenantImport)
        .import(pieces(bytes), { slug: 'copy' });
      expect(verification).toBe('fingerprint');
      expect(await roles.as(tenant, 'SELECT text, current_user AS role FROM note')).toEqual([
        { text: 'tea', role: tenant.schemaName },
      ]);
      await expect(roles.as(tenant, `SELECT FROM ${from.schemaName}.note`)).rejects.toEqual(REFUSED);
    } finally {
      await roles.close();
    }
  });

  it('has every kind of object', async () => {
    const [a, b] = [await createTestDatabase(), await createTestDatabase()];
    const apps: TestApp[] = [];
    try {
      for (const database of [a, b]) {
        for (const statement of SURROUNDINGS) await database.query(statement);
        apps.push(await startAppOn(database, { migrations: [CreateEverything1700000002000] }));
      }
      await apps[0].create({ slug: 'all' });
      const bytes = await exported('all', {}, apps[0]);
      const { verification } = await apps[1].app.get(TenantImport).import(pieces(bytes));
      expect(verification).toBe('fingerprint');
    } finally {
      for (const app of apps) await app.close();
      await a.drop();
      await b.drop();
    }
  });
});

describe('an export', () => {
  it('is of one moment, however busy the tenant is', async () => {
    const busy = await source.create({ slug: 'busy' });
    const write = (sql: string) => here.query(`SET search_path = ${busy.schemaName}; ${sql}`);
    await write(`INSERT INTO note (text) SELECT 'x' FROM generate_series(1, 20000)`);
    let isWriting = true;
    const writer = (async () => {
      // A note and its log entry come together, by the trigger.
      for (let i = 0; isWriting; i += 1) await write(`INSERT INTO note (text) VALUES ('${i}')`);
    })();
    const bytes = await exported('busy').finally(() => {
      isWriting = false;
    });
    await writer;
    const { tables } = await imported(bytes);
    expect(tables.note).toBe(tables.log);
    expect(tables.note).toBeGreaterThanOrEqual(20_000);
  });

  it('refuses who is not there', async () => {
    await expect(exported('nobody')).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
    await expect(exported('acme', { key: 'short' })).rejects.toThrow(RangeError);
  });

  it('that is stopped, or whose reader goes away, leaves the pool as it was', async () => {
    const busy = (await source.app.get(TenantLifecycle).get('busy')).schemaName;
    await here.query(`INSERT INTO ${busy}.log SELECT g FROM generate_series(1, 500000) g`);
    for (const end of ['abort', 'destroy'] as const) {
      const controller = new AbortController();
      const sink = new Writable({
        write(_chunk, _encoding, done) {
          if (end === 'abort') controller.abort();
          else this.destroy(new Error('the disk is full'));
          done();
        },
      });
      const work = source.app.get(TenantExport).export('busy', sink, { signal: controller.signal });
      await expect(work).rejects.toThrow(end === 'abort' ? /abort/i : 'the disk is full');
    }
    expect(await exported('acme')).toBeInstanceOf(Buffer);
    // Nobody goes on reading for who has gone.
    const left = () =>
      here.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'`,
      );
    while ((await left()).length > 0);
  });
});

describe('an import leaves nothing', () => {
  it('of a file that was cut off, wherever that was', async () => {
    const plain = gunzipSync(file);
    const random = seededRandom(20_260_102);
    const places = [
      0,
      1,
      30,
      plain.length - 1,
      plain.length - 37,
      ...Array.from({ length: 12 }, () => Math.floor(random() * plain.length)),
    ];
    for (const place of places) {
      await expectNothingLeft(() => imported(gzipSync(plain.subarray(0, place)), { slug: 'cut' }), {
        code: 'EXPORT_FILE_INVALID',
      });
    }
    await expectNothingLeft(() => imported(file.subarray(0, file.length - 20), { slug: 'cut' }), {
      code: 'EXPORT_FILE_INVALID',
    });
    await expectNothingLeft(
      () => imported(Buffer.concat([gzipSync(Buffer.concat([plain, Buffer.from('x')]))]), { slug: 'cut' }),
      { code: 'EXPORT_FILE_INVALID' },
    );
  });

  it('of a file in which a byte was changed, wherever that was, and runs none of its DDL', async () => {
    const plain = gunzipSync(file);
    const random = seededRandom(20_260_103);
    for (let count = 0; count < 30; count += 1) {
      const changed = Buffer.from(plain);
      const place = Math.floor(random() * plain.length);
      changed[place] ^= 1;
      const work = () => imported(gzipSync(changed), { slug: 'changed' });
      // PostgreSQL may notice first, when it cannot read a value.
      await expectNothingLeft(work, {
        code: expect.stringMatching(/^(EXPORT_FILE_INVALID|PROVISIONING_FAILED)$/),
      });
    }
    const evil = Buffer.from(plain.toString('latin1').replace('CREATE TABLE', 'DROP SCHEMA '), 'latin1');
    await expectNothingLeft(() => imported(gzipSync(evil), { slug: 'evil' }), {
      code: 'EXPORT_FILE_INVALID',
      message: expect.stringContaining('seal'),
    });
  });

  it('of what is no export at all', async () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('hello'),
      gzipSync('hello'),
      gzipSync(Buffer.alloc(100_000)),
    ])
      await expectNothingLeft(() => imported(bytes, { slug: 'none' }), { code: 'EXPORT_FILE_INVALID' });
  });

  it('of an export that another key has sealed, or that has no key where one is asked for', async () => {
    const sealed = await exported('acme', { key: KEY });
    await expectNothingLeft(() => imported(sealed, { slug: 'sealed' }), {
      message: expect.stringContaining('Give that key'),
    });
    await expectNothingLeft(() => imported(sealed, { slug: 'sealed', key: `${KEY}!` }), {
      message: expect.stringContaining('another key'),
    });
    await expectNothingLeft(() => imported(file, { slug: 'sealed', key: KEY }), {
      message: expect.stringContaining('anyone may have made it'),
    });
    expect(await imported(sealed, { slug: 'sealed', key: KEY })).toMatchObject({ rows: 11 });
  });

  it('of a sealed one in which a byte was changed, wherever that was, or that was cut off', async () => {
    const sealed = await exported('acme', { key: KEY });
    const random = seededRandom(20_260_104);
    for (let count = 0; count < 30; count += 1) {
      const changed = Buffer.from(sealed);
      const place = count === 0 ? 0 : Math.floor(random() * sealed.length);
      changed[place] ^= 1;
      await expectNothingLeft(() => imported(changed, { slug: 'changed', key: KEY }), {
        code: 'EXPORT_FILE_INVALID',
      });
    }
    for (const bytes of [sealed.subarray(0, -1), Buffer.concat([sealed, Buffer.from('x')])]) {
      await expectNothingLeft(() => imported(bytes, { slug: 'cut', key: KEY }), {
        code: 'EXPORT_FILE_INVALID',
      });
    }
  });

  it('of one that was sealed within, unless the key is that of its seal: so they were made before', async () => {
    const old = withHeader((text) => text.replace('"sha256"', '"hmac-sha256"'), KEY);
    await expectNothingLeft(() => imported(old, { slug: 'old' }), {
      message: expect.stringContaining('sealed with a key'),
    });
    await expectNothingLeft(() => imported(old, { slug: 'old', key: `${KEY}!` }), {
      message: expect.stringContaining('another key'),
    });
    expect(await imported(old, { slug: 'old', key: KEY })).toMatchObject({ rows: 11 });
  });

  it('of one that is larger than it may be', async () => {
    await expectNothingLeft(() => imported(file, { slug: 'large', limits: { maxBytes: 3000 } }), {
      message: expect.stringContaining('limits.maxBytes'),
    });
    await expect(imported(file, { slug: 'large', limits: { maxBytes: 0 } })).rejects.toThrow(RangeError);
  });

  it('of one whose DDL ends the transaction, or makes something else than it says', async () => {
    const ends = withHeader((text) => text.replace('CREATE TABLE', 'COMMIT; CREATE TABLE'));
    await expectNothingLeft(() => imported(ends, { slug: 'else' }), {
      message: expect.stringContaining('ends the transaction'),
    });
    const makesMore = withHeader((text) =>
      text.replace('CREATE TABLE', 'CREATE TABLE more (x integer); CREATE TABLE'),
    );
    await expectNothingLeft(() => imported(makesMore, { slug: 'else' }), {
      code: 'IMPORT_NOT_FAITHFUL',
      message: expect.stringContaining('column more.x is not in the export'),
    });
  });

  it('when it is stopped in the middle', async () => {
    const bytes = await exported('busy');
    const controller = new AbortController();
    const work = () =>
      target.app.get(TenantImport).import(Readable.from([bytes]), {
        slug: 'stopped',
        signal: controller.signal,
        onProgress: () => controller.abort(),
      });
    await expectNothingLeft(work, { code: 'PROVISIONING_FAILED', message: expect.stringMatching(/abort/i) });
    expect(await imported(file, { slug: 'after' })).toMatchObject({ rows: 11 });
  });

  /** The export with another header, and seals that fit. */
  function withHeader(change: (json: string) => string, key?: string): Buffer {
    const plain = gunzipSync(file);
    const magic = plain.indexOf('\n') + 1;
    const length = plain.readUInt32BE(magic + 1);
    const rest = plain.subarray(magic + 5 + length + 5 + 32, plain.length - 5 - 32);
    const json = Buffer.from(change(plain.toString('utf8', magic + 5, magic + 5 + length)));
    const head = Buffer.concat([Buffer.from('H'), Buffer.alloc(4), json]);
    head.writeUInt32BE(json.length, 1);
    const seal = new RunningSeal();
    const section = () => Buffer.concat([Buffer.from([0x53, 0, 0, 0, 32]), seal.now(key)]);
    const start = Buffer.concat([plain.subarray(0, magic), head]);
    seal.add(start);
    const first = section();
    seal.add(rest);
    return gzipSync(Buffer.concat([start, first, rest, section()]));
  }
});
