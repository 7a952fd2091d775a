import { remedyForPath } from '../../../lib/schema/bare-path';
import { compileBlueprint } from '../../../lib/schema/blueprint';
import { replayBlueprint } from '../../../lib/schema/clone';
import { quoteIdentifier } from '../../../lib/common/sql';
import { inSchema } from '../../../lib/schema/catalog';
import { readMakers, repairOf, statementsOf } from '../../../lib/schema/repairs';
import { readStructure } from '../../../lib/schema/structure';
import { compareStructures } from '../../../lib/schema/structure-differences';
import { fingerprintSchema } from '../../../lib/schema/fingerprint';
import { NO_PRINTS } from '../../../lib/schema/prints';
import { CloneNotFaithfulError } from '../../../lib/schema/schema.errors';
import { hashStructures } from '../../../lib/schema/structure-hashes';
import { tryBlueprint } from '../../../lib/schema/trial';
import { verifyClone } from '../../../lib/schema/verify';
import { SchemaBench } from './support';

let bench: SchemaBench;

beforeAll(async () => {
  bench = await SchemaBench.open();
});
afterAll(() => bench.close());

const compile = (schemaName = 'template') =>
  bench.inTransaction(() => compileBlueprint(bench.executor, schemaName));

describe('what the server writes into its catalogs for itself', () => {
  const TABLE = `
    CREATE TABLE orders (id int PRIMARY KEY, note varchar(20)) WITH (fillfactor = 70);
    ALTER TABLE orders ALTER note SET (n_distinct = 5);
    CREATE INDEX orders_note ON orders (lower(note)) WITH (fillfactor = 80) WHERE note <> ''`;

  const keep = (relation: string, column: string, value: string, where = '') =>
    bench.executor.query(
      column === 'attoptions'
        ? `UPDATE pg_attribute SET attoptions = '{${value}}' || attoptions WHERE attrelid = 'template.${relation}'::regclass ${where}`
        : `UPDATE pg_class SET reloptions = '{${value}}' || reloptions WHERE oid = 'template.${relation}'::regclass`,
    );

  it('is no part of a structure, and nothing to hear of', async () => {
    await bench.build('template', TABLE);
    const before = await bench.inTransaction(() => fingerprintSchema(bench.executor, 'template'));
    await keep('orders', 'attoptions', 'pg_attver=7', 'AND attnum > 0');
    await bench.clone('template', 'clone');
    expect(await bench.inTransaction(() => fingerprintSchema(bench.executor, 'template'))).toBe(before);
    expect((await compile()).unknown).toEqual([]);
  });

  it('is left out by name when it is not known, and what somebody chose stays', async () => {
    await bench.build('template', TABLE);
    await keep('orders', 'attoptions', 'pg_later=7', `AND attname = 'note'`);
    await keep('orders', 'reloptions', 'pg_later=7');
    await keep('orders_note', 'reloptions', 'pg_later=7');
    await bench.clone('template', 'clone');
    expect((await compile()).unknown).toEqual([
      'parameter pg_later of column orders.note',
      'parameter pg_later of orders',
      'parameter pg_later of orders_note',
    ]);
    const [found] = await bench.rows(
      `SELECT (SELECT reloptions FROM pg_class WHERE oid = 'clone.orders'::regclass) AS "table",
              (SELECT reloptions FROM pg_class WHERE oid = 'clone.orders_note'::regclass) AS index,
              (SELECT ARRAY(SELECT option FROM unnest(attoptions) AS option WHERE option NOT LIKE 'pg_attver=%')
               FROM pg_attribute WHERE attrelid = 'clone.orders'::regclass AND attname = 'note') AS "column"`,
    );
    expect(found).toEqual({ table: ['fillfactor=70'], index: ['fillfactor=80'], column: ['n_distinct=5'] });
  });
});

/** Code that PostgreSQL prints in one way when it was written by hand, and in another when it was made from its print. */
const CODE: Readonly<Record<string, string>> = {
  'IN on a varchar': `CREATE TABLE t (status varchar(20) CHECK (status IN ('new', 'paid')))`,
  'NOT IN on a varchar': `CREATE TABLE t (status varchar(20) CHECK (status NOT IN ('new', 'paid')))`,
  'BETWEEN AND': `CREATE TABLE t (m int, y int, CHECK (m BETWEEN 1 AND 12 AND y > 2000))`,
  'a comparison of rows AND': `CREATE TABLE t (m int, y int, CHECK ((m, y) = (1, 2) AND m > 0))`,
  'IN OR': `CREATE TABLE t (m int, y int, z int, CHECK (m IN (y, z) OR y > 3))`,
  'a partial index': `CREATE TABLE t (status varchar(20), m int); CREATE INDEX i ON t (m) WHERE status IN ('new', 'paid')`,
  'an index on an expression': `CREATE TABLE t (status varchar(20), m int); CREATE INDEX i ON t ((status IN ('new', 'paid')))`,
  'an exclusion': `CREATE TABLE t (status varchar(20), m int, EXCLUDE USING btree (m WITH =) WHERE (status IN ('new', 'paid')))`,
  'a view': `CREATE TABLE t (at timestamptz, m int, y int);
    CREATE VIEW v AS SELECT extract('YEAR' FROM at) AS year FROM t WHERE m BETWEEN 1 AND 12 AND y > 2000`,
  'a materialized view': `CREATE TABLE t (status varchar(20)); CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE status IN ('a', 'b')`,
  'a join without common columns': `CREATE TABLE one (a int); CREATE TABLE two (b int);
    CREATE VIEW v AS SELECT * FROM one NATURAL LEFT JOIN two`,
  'a policy': `CREATE TABLE t (status varchar(20)); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON t USING (status IN ('new', 'paid')) WITH CHECK (status NOT IN ('old', 'gone'))`,
  'a trigger': `CREATE TABLE t (status varchar(20));
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.status IN ('new', 'paid')) EXECUTE FUNCTION f()`,
  'a generated column': `CREATE TABLE t (status varchar(20), is_open boolean GENERATED ALWAYS AS (status IN ('new', 'paid')) STORED)`,
  'a default': `CREATE TABLE t (d boolean DEFAULT ('a'::varchar IN ('a', 'b')))`,
  'a domain': `CREATE DOMAIN d AS varchar(20) CHECK (VALUE IN ('new', 'paid')); CREATE TABLE t (d d)`,
  'a rule': `CREATE TABLE t (status varchar(20)); CREATE RULE r AS ON UPDATE TO t WHERE NEW.status IN ('new', 'paid') DO INSTEAD NOTHING`,
  'a body of the standard': `CREATE TABLE t (status varchar(20)); CREATE FUNCTION f() RETURNS bigint LANGUAGE sql
    BEGIN ATOMIC SELECT count(*) FROM t WHERE status IN ('new', 'paid'); END`,
  'a default of an argument': `CREATE FUNCTION f(b boolean DEFAULT ('a'::varchar IN ('a', 'b'))) RETURNS int LANGUAGE sql AS 'SELECT 1'`,
  statistics: `CREATE TABLE t (status varchar(20), m int); CREATE STATISTICS s ON (status IN ('new', 'paid')), m FROM t`,
  'a partition key': `CREATE TABLE t (status varchar(20)) PARTITION BY RANGE ((status IN ('new', 'paid')))`,
  'children of a table': `CREATE TABLE t (status varchar(20) CONSTRAINT c CHECK (status IN ('new', 'paid'))); CREATE TABLE u () INHERITS (t)`,
};

describe('code that prints otherwise when it is made from its print is cloned', () => {
  it.each(Object.entries(CODE))('%s', async (_subject, script) => {
    await bench.build('template', script);
    await bench.clone('template', 'clone', { written: true });
    // A clone's own print is one that stays.
    await bench.clone('clone', 'again');
  });

  it('and a tenant whose migrations ran the first text is like one that was cloned', async () => {
    const script = Object.values(CODE).slice(0, 1).join('; ');
    await bench.build('template', script);
    const executor = bench.executor;
    await bench.inTransaction(async () => {
      const blueprint = await compileBlueprint(executor, 'template');
      const prints = await tryBlueprint(executor, blueprint, 'tried');
      expect(prints?.lines).toHaveLength(1);
      const known = { ...blueprint, prints: prints ?? NO_PRINTS };
      await executor.query('DROP SCHEMA IF EXISTS cloned, migrated CASCADE; CREATE SCHEMA migrated');
      await replayBlueprint(executor, known, 'cloned');
      await executor.query(`SET LOCAL search_path = migrated; ${script}`);
      const hash = (name: string) =>
        hashStructures(executor, known.hashQuery, [name], known.prints.hashes).then((hashes) =>
          hashes.get(name),
        );
      expect([await hash('cloned'), await hash('migrated')]).toEqual([known.hash, known.hash]);
      expect((await verifyClone(executor, known, 'cloned')).lines).toEqual([]);
    });
  });

  it('and what differs in more than its print is still refused', async () => {
    await bench.build('template', CODE['a view']);
    await bench.inTransaction(async () => {
      const blueprint = await compileBlueprint(bench.executor, 'template');
      const statements = blueprint.statements.map((statement) => statement.replace('y > 2000', 'y > 2001'));
      await bench.executor.query('DROP SCHEMA IF EXISTS clone CASCADE');
      await replayBlueprint(
        bench.executor,
        { ...blueprint, statements: [...statements, 'ALTER TABLE t ALTER m SET NOT NULL'] },
        'clone',
      );
      await expect(verifyClone(bench.executor, blueprint, 'clone')).rejects.toThrow(CloneNotFaithfulError);
    });
  });
});

/** Code in which PostgreSQL prints the schema's name, although it lies on the path. */
const NAMING: Readonly<Record<string, string>> = {
  'a view': `CREATE VIEW notes AS WITH note AS (SELECT * FROM note WHERE id > 0) SELECT * FROM note`,
  'a view with a literal that reads like it': `CREATE VIEW notes AS
    WITH note AS (SELECT id, 'template.txt'::text AS file FROM note) SELECT * FROM note`,
  'a view with an alias named like the schema': `CREATE VIEW notes AS
    WITH note AS (SELECT template.id, extract(year FROM template.at) AS year FROM note AS template) SELECT * FROM note`,
  'a view with a column named like the schema': `ALTER TABLE note ADD template int;
    CREATE VIEW notes AS WITH note AS (SELECT template FROM note) SELECT template FROM note`,
  'a materialized view': `CREATE MATERIALIZED VIEW notes AS WITH note AS (SELECT * FROM note) SELECT * FROM note`,
  'a rule': `CREATE VIEW notes AS SELECT * FROM note; CREATE RULE r AS ON DELETE TO notes DO INSTEAD
    DELETE FROM note WHERE id IN (WITH note AS (SELECT * FROM note) SELECT id FROM note)`,
  'a policy': `ALTER TABLE note ENABLE ROW LEVEL SECURITY; CREATE TABLE other (id int);
    CREATE POLICY p ON note USING (id IN (WITH other AS (SELECT * FROM other) SELECT id FROM other))`,
  'a body of the standard': `CREATE FUNCTION f() RETURNS bigint LANGUAGE sql
    BEGIN ATOMIC WITH note AS (SELECT * FROM note) SELECT count(*) FROM note; END`,
  'a row type that has a name of PostgreSQL’s': `CREATE TABLE line (id int); CREATE TABLE lines (one template.line, more template.line[])`,
  'a body that writes': `CREATE FUNCTION f() RETURNS void LANGUAGE sql
    BEGIN ATOMIC WITH note AS (SELECT * FROM note) INSERT INTO note SELECT * FROM note; END`,
};

describe('code in which PostgreSQL prints the schema’s own name', () => {
  const TABLE = 'CREATE TABLE note (id int, at date);';

  it.each(
    Object.entries(NAMING).flatMap(([subject, script]) =>
      ['template', 'My "Template'].map((name) => [
        subject,
        name,
        script.replaceAll('template', quoted(name)),
      ]),
    ),
  )('is cloned with that of the clone: %s of %s', async (_subject, name, script) => {
    await bench.build(name, `${TABLE} ${script}`);
    for (const [from, to] of [
      [name, 'My clone'],
      ['My clone', 'again'],
    ]) {
      await bench.clone(from, to);
      const [ours, theirs] = await bench.inTransaction(async () => [
        await fingerprintSchema(bench.executor, from),
        await fingerprintSchema(bench.executor, to),
      ]);
      expect(theirs).toBe(ours);
    }
  });

  it('and a clone is seen to be alike without a comparison in words', async () => {
    await bench.build('template', `${TABLE} ${NAMING['a view']}`);
    await bench.inTransaction(async () => {
      const blueprint = await compileBlueprint(bench.executor, 'template');
      await bench.executor.query('DROP SCHEMA IF EXISTS clone CASCADE');
      await replayBlueprint(bench.executor, blueprint, 'clone');
      const hashes = await hashStructures(bench.executor, blueprint.hashQuery, ['clone']);
      expect(hashes.get('clone')).toBe(blueprint.hash);
    });
  });

  it('and what is missing in a schema is made with its name', async () => {
    await bench.build('template', `${TABLE} ${NAMING['a view']}`);
    await bench.build('other', TABLE);
    const read = (name: string) =>
      inSchema(bench.executor, name, (schema, reader) => readStructure(reader, schema));
    const repairs = await bench.inTransaction(async () => {
      const differences = compareStructures(await read('template'), await read('other'));
      const makers = await readMakers(bench.executor, 'template');
      return statementsOf(differences.flatMap((each) => repairOf(each, makers, 'other') ?? []));
    });
    expect(repairs.join()).toContain('FROM "other".note note_1');
    await bench.alter('other', repairs.join('; '));
    await bench.inTransaction(async () =>
      expect((await bench.prints('other')).fingerprint).toBe((await bench.prints('template')).fingerprint),
    );
  });
});

/** As it can stand in an expression and in a literal. */
function quoted(name: string): string {
  return /^\w+$/.test(name) ? name : quoteIdentifier(name);
}

describe('functions and operators that have names of PostgreSQL’s own', () => {
  /** Each fits better than the one of that name that our queries mean, and fails. */
  const NAMES = [
    'concat(text, VARIADIC text[])',
    'concat(text, text, text)',
    'concat_ws(text, VARIADIC text[])',
    'format(text, VARIADIC text[])',
    'format(text, name)',
    'format(text, name, name)',
    'format(text, text, oid)',
    'format(text, regclass, oid)',
    'quote_ident(name)',
    'split_part(text, text, int2)',
    'set_config(text, name, boolean)',
    'set_config(name, text, boolean)',
    'current_setting(name)',
    'pg_relation_size(text)',
    'pg_get_expr(pg_node_tree, oid, int)',
    'format_type(oid, bigint)',
    'format_type(regtype, integer)',
    'pg_describe_object(regclass, oid, integer)',
    'array_remove(text[], text)',
    'has_table_privilege(oid, unknown_text)',
    'to_jsonb(pg_class)',
    'to_jsonb(pg_attribute)',
    'to_jsonb(pg_constraint)',
    'unnest(oid[])',
    'unnest("char"[])',
    'hashtextextended(text, integer)',
    'coalesce_all(text)',
  ];
  const OPERATORS = [
    ['=', '"char"', 'text'],
    ['=', 'oid', 'regclass'],
    ['=', 'regclass', 'oid'],
    ['=', 'words', 'words'],
    ['<>', '"char"', 'text'],
    ['<>', 'oid', 'integer'],
    ['=', 'oid', 'integer'],
    ['||', 'text', 'name'],
    ['||', 'text', 'regclass'],
    ['||', 'text', 'regprocedure'],
    ['||', 'jsonb', 'text'],
    ['-', 'jsonb', 'name'],
    ['->>', 'jsonb', 'name'],
  ];
  const HOSTILE = [
    'CREATE DOMAIN words AS text[]',
    'CREATE DOMAIN unknown_text AS text',
    ...NAMES.map(
      (name) =>
        `CREATE FUNCTION ${name} RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''taken''; END'`,
    ),
    ...OPERATORS.map(([name, left, right], i) => {
      const result = ['||', '-', '->>'].includes(name) ? 'text' : 'boolean';
      return (
        `CREATE FUNCTION hostile_${i}(${left}, ${right}) RETURNS ${result} LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''taken''; END';` +
        `CREATE OPERATOR ${name} (LEFTARG = ${left}, RIGHTARG = ${right}, FUNCTION = hostile_${i})`
      );
    }),
    'CREATE AGGREGATE array_agg(text) (SFUNC = array_append, STYPE = text[])',
    `CREATE TABLE t (id int PRIMARY KEY, w words, status varchar(20) DEFAULT 'x' CHECK (status IN ('new', 'paid')))`,
    `CREATE VIEW v AS SELECT w FROM t`,
  ].join(';\n');

  it('are cloned, and change nothing in how a schema is read', async () => {
    await bench.build('template', HOSTILE);
    await bench.clone('template', 'clone', { written: true });
    await bench.alter('template', 'SELECT 1');
    await bench.executor.query('SET search_path = template');
    await bench.clone('template', 'clone', { written: true });
    await bench.executor.query('RESET search_path');
  });
});

describe('a function of a shared schema that finds others by the path', () => {
  const WRAP = `
    DROP SCHEMA IF EXISTS shared CASCADE; CREATE SCHEMA shared; SET search_path = shared;
    CREATE FUNCTION shared.plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT translate($1, ''äé'', ''ae'')';
    CREATE FUNCTION shared.f_plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT plain($1)';
    DROP SCHEMA IF EXISTS template CASCADE; CREATE SCHEMA template; SET search_path = template, shared`;
  const TABLE = `CREATE TABLE t (name text CHECK (f_plain(name) <> 'x'), bare text GENERATED ALWAYS AS (f_plain(name)) STORED)`;
  const INDEX = `CREATE INDEX i ON t (f_plain(name)); CREATE MATERIALIZED VIEW v AS SELECT f_plain(name) FROM t`;

  afterEach(() => bench.executor.query('RESET search_path'));

  it.each([
    ['a check and a generated column', TABLE],
    ['a partition key', 'CREATE TABLE t (name text) PARTITION BY RANGE (f_plain(name))'],
    ['a default', `CREATE TABLE t (name text DEFAULT f_plain('é'))`],
  ])('is called by %s of a clone', async (_subject, script) => {
    await bench.executor.query(`${WRAP}; ${script}`);
    await bench.executor.query('RESET search_path');
    await bench.clone('template', 'clone', { sharedSchemas: ['shared'] });
  });

  it('is called by an index and a materialized view, where PostgreSQL builds them so', async () => {
    const build = () => bench.executor.query(`${WRAP}; ${TABLE}; ${INDEX}`);
    if ((await bench.majorVersion()) >= 17) {
      const error: unknown = await build().catch((cause: unknown) => cause);
      expect(remedyForPath(error)).toContain('ALTER FUNCTION f_plain SET search_path');
      return;
    }
    await build();
    await bench.executor.query('RESET search_path');
    await bench.clone('template', 'clone', { sharedSchemas: ['shared'] });
    // Not even on the path of tenants, so that looking for rows fails in the function. The session forgets its plans.
    await bench.executor.query('ALTER INDEX template.i SET (fillfactor = 90)');
    await expect(bench.clone('template', 'clone')).rejects.toThrow('ALTER FUNCTION f_plain SET search_path');
  });
});
