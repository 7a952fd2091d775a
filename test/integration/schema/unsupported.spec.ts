import { compileBlueprint } from '../../../lib/schema/blueprint';
import { SchemaNotCloneableError } from '../../../lib/schema/schema.errors';
import { SchemaBench } from './support';

let bench: SchemaBench;

const STRANGER = `stranger_${process.pid}`;

const BASE = `
  CREATE TABLE orders (id integer PRIMARY KEY, code text, customer_id integer REFERENCES orders);
  CREATE VIEW totals AS SELECT count(*) FROM orders;
  CREATE TYPE status AS ENUM ('open');
  CREATE SEQUENCE numbers;
  CREATE FUNCTION twice(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 2 * $1';
  CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE FUNCTION same(status, status) RETURNS boolean LANGUAGE sql AS 'SELECT true';
  CREATE INDEX code_index ON orders (code);`;

beforeAll(async () => {
  bench = await SchemaBench.open();
  await bench.executor.query(
    `CREATE ROLE ${STRANGER}; CREATE SCHEMA shared; CREATE TABLE shared.people (id integer PRIMARY KEY)`,
  );
  await bench.build('template', BASE);
});

afterAll(async () => {
  await bench.executor.query(`DROP OWNED BY ${STRANGER}; DROP ROLE ${STRANGER}`);
  await bench.close();
});

/** The error of compiling the template with that change, which is then undone. */
async function refusal(change: string): Promise<SchemaNotCloneableError> {
  const error: unknown = await bench.trial('template', async () => {
    await bench.executor.query(change);
    return compileBlueprint(bench.executor, 'template').catch((cause: unknown) => cause);
  });
  expect(error).toBeInstanceOf(SchemaNotCloneableError);
  return error as SchemaNotCloneableError;
}

it('compiles what the tests below start from', async () => {
  await expect(
    bench.inTransaction(() => compileBlueprint(bench.executor, 'template')),
  ).resolves.toBeDefined();
});

describe('a schema is refused by name of the object for', () => {
  it.each([
    [
      'a partition of a table elsewhere',
      'CREATE TABLE shared.p (id integer) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF shared.p DEFAULT',
      'table p1',
      'parent lies in another schema',
    ],
    [
      'a partitioned table with a partition elsewhere',
      'CREATE TABLE p (id integer) PARTITION BY LIST (id); CREATE TABLE shared.p1 PARTITION OF template.p DEFAULT',
      'table p',
      'in another schema inherits from it',
    ],
    [
      'a table that inherits from elsewhere',
      'CREATE TABLE child () INHERITS (shared.people)',
      'table child',
      'parent lies in another schema',
    ],
    [
      'a table that others inherit from elsewhere',
      'CREATE TABLE shared.child () INHERITS (template.orders)',
      'table orders',
      'in another schema inherits from it',
    ],
    [
      'a foreign table',
      `CREATE EXTENSION file_fdw SCHEMA shared; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw;
       CREATE FOREIGN TABLE f () SERVER s OPTIONS (filename '/nowhere')`,
      'foreign table f',
      'foreign tables',
    ],
    [
      'an invalid index',
      `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'code_index'::regclass`,
      'index code_index',
      'REINDEX',
    ],
    [
      'extended statistics elsewhere',
      'CREATE STATISTICS shared.stats ON id, code FROM orders',
      'statistics object shared.stats',
      'SET SCHEMA',
    ],
    [
      'extended statistics of a table elsewhere',
      'ALTER TABLE shared.people ADD x integer; CREATE STATISTICS stats ON id, x FROM shared.people',
      'statistics object stats',
      'SET SCHEMA',
    ],
    [
      'a grant that another role gave',
      `GRANT SELECT ON orders TO ${STRANGER} WITH GRANT OPTION; GRANT USAGE ON SCHEMA template TO ${STRANGER};
       SET LOCAL ROLE ${STRANGER}; GRANT SELECT ON template.orders TO PUBLIC; RESET ROLE`,
      'table orders',
      'Give the grant as the owner',
    ],
    [
      'an event trigger',
      "CREATE FUNCTION ev() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER evt ON sql_drop EXECUTE FUNCTION ev()",
      'event trigger evt',
      'kind',
    ],
    ['an extension', 'CREATE EXTENSION citext SCHEMA template', 'extension citext', 'SET SCHEMA'],
    [
      'what belongs to an extension',
      'CREATE EXTENSION citext SCHEMA shared; ALTER EXTENSION citext ADD FUNCTION twice(integer)',
      'extension citext',
      'extensions',
    ],
    [
      'what goes with an extension',
      'CREATE EXTENSION citext SCHEMA shared; ALTER FUNCTION twice(integer) DEPENDS ON EXTENSION citext',
      'function twice(integer)',
      'NO DEPENDS ON',
    ],
    ['a table of another user', `ALTER TABLE orders OWNER TO ${STRANGER}`, 'table orders', 'another user'],
    ['a type of another user', `ALTER TYPE status OWNER TO ${STRANGER}`, 'type status', 'another user'],
    [
      'a function of another user',
      `ALTER FUNCTION twice(integer) OWNER TO ${STRANGER}`,
      'function twice(integer)',
      'another user',
    ],
    [
      'a foreign key switched off',
      'ALTER TABLE orders DISABLE TRIGGER ALL',
      'constraint orders_customer_id_fkey on table orders',
      'ENABLE TRIGGER ALL',
    ],
    ['a comment on a row type', `COMMENT ON TYPE orders IS 'x'`, 'type orders', 'comment'],
    ['rows', 'INSERT INTO orders VALUES (1)', 'rows of table orders', 'delete them'],
    [
      'a table named like one of PostgreSQL’s',
      'CREATE TABLE pg_class ()',
      'table template.pg_class',
      'Choose another name',
    ],
    [
      'an enum named like a type of PostgreSQL’s',
      'CREATE TYPE "text" AS ENUM (\'x\')',
      'type template.text',
      'Choose another name',
    ],
    [
      'a function named like one of PostgreSQL’s',
      "CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
      'function template.lower(text)',
      'Choose another name',
    ],
    [
      'a row type that is hidden, in a function',
      "CREATE TABLE line (id integer); CREATE FUNCTION f(template.line) RETURNS void LANGUAGE sql AS ''",
      'function f(template.line)',
      'template.line',
    ],
    [
      'a cycle',
      `CREATE FUNCTION cyc(orders) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
       CREATE VIEW cyc_view AS SELECT 1 AS x; CREATE FUNCTION cyc_f() RETURNS integer LANGUAGE sql RETURN (SELECT x FROM cyc_view);
       CREATE OR REPLACE VIEW cyc_view AS SELECT cyc_f() AS x`,
      'function cyc_f()',
      'cycle',
    ],
  ])('%s', async (_, change, object, remedy) => {
    const { obstacles, message } = await refusal(change);
    const found = obstacles.filter((obstacle) => obstacle.object.startsWith(object));
    expect(found.map((obstacle) => obstacle.remedy).join()).toContain(remedy);
    expect(message).toContain(object);
  });

  it('a table whose name only its row type shares with PostgreSQL’s is not', async () => {
    await bench.build(
      'geometry',
      'CREATE TABLE line (id serial PRIMARY KEY); CREATE TABLE text (line_id integer REFERENCES line);',
    );
    await bench.clone('geometry', 'geometry_clone');
  });

  it('grants that the clone gets as well are not', async () => {
    await bench.executor.query(`ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${STRANGER}`);
    await bench.build('granted', 'CREATE TABLE a (); CREATE SEQUENCE s;');
    await bench.clone('granted', 'granted_clone');
    await bench.executor.query(`ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM ${STRANGER}`);
    expect(
      await bench.rows(`SELECT has_table_privilege($1, 'granted_clone.a', 'SELECT') AS may`, [STRANGER]),
    ).toEqual([{ may: true }]);
  });

  it('an exclusion of a partitioned table, whose index PostgreSQL cannot attach', async () => {
    if ((await bench.majorVersion()) < 17) return;
    const { message } = await refusal(
      'CREATE TABLE p (id integer, EXCLUDE USING btree (id WITH =)) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p DEFAULT',
    );
    expect(message).toContain('index p_id_excl: PostgreSQL cannot attach');
  });

  it('several reasons at once, each', async () => {
    const { obstacles } = await refusal(
      `CREATE TYPE shell; CREATE FUNCTION c() RETURNS integer LANGUAGE internal AS 'pg_backend_pid'; COMMENT ON TYPE orders IS 'x'`,
    );
    expect(obstacles.map(({ object }) => object)).toEqual(['function c()', 'type orders', 'type shell']);
  });

  it('an extension once, not for each of its objects', async () => {
    const { obstacles } = await refusal('CREATE EXTENSION citext SCHEMA template');
    expect(obstacles).toHaveLength(1);
  });
});

describe('a schema is refused for naming itself in', () => {
  it.each([
    [
      'the body of a function',
      `CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM template.orders); END'`,
      'function f()',
    ],
    [
      'a quoted name',
      `CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM "template" . "orders"'`,
      'function f()',
    ],
    [
      'dynamic SQL',
      `CREATE FUNCTION f(n text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'TABLE template.' || n; END $$`,
      'function f(n text)',
    ],
    [
      'a format',
      `CREATE FUNCTION f(n text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('TABLE template.%I', n); END $$`,
      'function f(n text)',
    ],
    [
      'a search path in a body',
      `CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET LOCAL search_path TO public, template; END $$`,
      'function f()',
    ],
    [
      'a search path of a function',
      'ALTER FUNCTION twice(integer) SET search_path = pg_catalog, template',
      'function twice(integer)',
    ],
    [
      'a search path of a function, from the session',
      'ALTER FUNCTION twice(integer) SET search_path FROM CURRENT',
      'function twice(integer)',
    ],
    ['a string in a default', `ALTER TABLE orders ADD t text DEFAULT 'template.orders'`, 'table orders'],
    [
      'a string in a check',
      `ALTER TABLE orders ADD CONSTRAINT c CHECK (code <> ('template.orders'::text)::regclass::text)`,
      'table orders',
    ],
    ['a string in a view', `CREATE VIEW v AS SELECT nextval('template.numbers'::text) AS n`, 'view v'],
    ['a string in an index', `CREATE INDEX i ON orders ((code || 'template.orders'))`, 'index i'],
    [
      'a trigger’s argument',
      `CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION act('template.orders')`,
      'trigger t on table orders',
    ],
    [
      'a constant that is the schema',
      `CREATE VIEW v AS SELECT 'template'::regnamespace AS n`,
      'rule _RETURN on view v',
    ],
    [
      'rows of typeorm_metadata',
      `CREATE TABLE typeorm_metadata (value text); INSERT INTO typeorm_metadata VALUES ('SELECT * FROM template.orders')`,
      'rows of table typeorm_metadata',
    ],
  ])('%s', async (_, change, object) => {
    const { obstacles } = await refusal(change);
    expect(obstacles.map((obstacle) => obstacle.object)).toContain(object);
    expect(obstacles.map((obstacle) => obstacle.remedy).join()).toMatch(
      /names the schema|refers to this schema/,
    );
  });

  it('an index of which a build failed', async () => {
    await bench.build('template', 'CREATE TABLE orders (code integer); INSERT INTO orders VALUES (1), (1)');
    const build = bench.executor.query('CREATE UNIQUE INDEX CONCURRENTLY once ON template.orders (code)');
    await expect(build).rejects.toThrow('could not create unique index');
    await bench.executor.query('DELETE FROM template.orders');
    await expect(bench.clone('template', 'clone')).rejects.toMatchObject({
      obstacles: [{ object: 'index once', remedy: expect.stringContaining('Drop it, or REINDEX it') }],
    });
    await bench.executor.query('REINDEX INDEX template.once');
    await bench.clone('template', 'clone');
  });

  it('not for a word, an alias or a comment that is the same', async () => {
    await bench.build(
      'template2',
      `CREATE TABLE template2 (id integer PRIMARY KEY, kind text DEFAULT 'template2', note text DEFAULT 'Edit the template2. Then save.');
       CREATE TABLE items (template2 integer REFERENCES template2 (id));
       CREATE VIEW v AS SELECT template2.id, items.template2 FROM template2, items;
       CREATE FUNCTION f() RETURNS SETOF text LANGUAGE sql AS 'SELECT template2.kind FROM template2';
       CREATE TYPE status AS ENUM ('sent'); CREATE TABLE email_templates (id integer, status status);
       CREATE FUNCTION g() RETURNS bigint LANGUAGE sql
         AS 'SELECT count(*) FROM email_templates template2 WHERE template2.status = ''sent''';
       CREATE FUNCTION h(template2 email_templates) RETURNS text LANGUAGE sql AS 'SELECT template2.status::text';
       COMMENT ON TABLE items IS 'Beside template2.template2';`,
    );
    await bench.clone('template2', 'template2_clone');
  });
});
