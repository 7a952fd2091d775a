import { compileBlueprint } from '../../../lib/schema/blueprint';
import { SchemaNotCloneableError } from '../../../lib/schema/schema.errors';
import { SchemaBench } from './support';

let bench: SchemaBench;

const USER = `plain_types_${process.pid}`;

const BASE = `
  CREATE TYPE status AS ENUM ('open');
  CREATE TYPE span AS RANGE (subtype = integer, multirange_type_name = spans);
  CREATE TABLE orders (id integer PRIMARY KEY, s status);
  CREATE FUNCTION twice(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 2 * $1';
  CREATE FUNCTION same(status, status) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
  CREATE FUNCTION compared(status, status) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 0';
  CREATE OPERATOR === (LEFTARG = status, RIGHTARG = status, FUNCTION = same);`;

beforeAll(async () => {
  bench = await SchemaBench.open();
  await bench.executor.query('CREATE SCHEMA shared');
  await bench.build('template', BASE);
});

afterAll(() => bench.close());

/** The error of compiling the template with that change, which is then undone. */
async function refusal(change: string, schema = 'template'): Promise<SchemaNotCloneableError> {
  const error: unknown = await bench.trial(schema, async () => {
    await bench.executor.query(change);
    return compileBlueprint(bench.executor, schema).catch((cause: unknown) => cause);
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
    ['a shell type', 'CREATE TYPE shell', 'type shell', 'never defined'],
    [
      'a base type',
      `CREATE TYPE base; CREATE FUNCTION base_in(cstring) RETURNS base LANGUAGE internal IMMUTABLE STRICT AS 'textin';
       CREATE FUNCTION base_out(base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
       CREATE TYPE base (INPUT = base_in, OUTPUT = base_out)`,
      'type base',
      'in C',
    ],
    [
      'a range type with a canonical function',
      `CREATE TYPE r; CREATE FUNCTION canonical(r) RETURNS r LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
       CREATE TYPE r AS RANGE (subtype = integer, canonical = canonical)`,
      'type r',
      'canonical',
    ],
    [
      'a multirange elsewhere',
      'CREATE TYPE far AS RANGE (subtype = integer, multirange_type_name = shared.fars)',
      'type far',
      'different schemas',
    ],
    [
      'a constructor that was changed',
      'ALTER FUNCTION span(integer, integer) COST 5',
      'function span(integer,integer)',
      'range type',
    ],
    [
      'a constructor that was moved',
      'ALTER FUNCTION span(integer, integer) SET SCHEMA shared',
      'type span',
      'different schemas',
    ],
    [
      'a constructor with grants',
      'REVOKE EXECUTE ON FUNCTION spans(VARIADIC span[]) FROM PUBLIC',
      'function spans(span[])',
      'range type',
    ],
    ['a comment on an array type', `COMMENT ON TYPE _status IS 'x'`, 'type status[]', 'comment'],
    [
      'a window function',
      `CREATE FUNCTION w() RETURNS bigint LANGUAGE internal WINDOW AS 'window_row_number'`,
      'function w()',
      'window',
    ],
    [
      'a function in C',
      `CREATE FUNCTION c() RETURNS integer LANGUAGE internal AS 'pg_backend_pid'`,
      'function c()',
      'in C',
    ],
    [
      'a commutator elsewhere',
      'CREATE OPERATOR <<<< (LEFTARG = status, RIGHTARG = status, FUNCTION = same, COMMUTATOR = OPERATOR(shared.>>>>))',
      'operator <<<<(status,status)',
      'another schema',
    ],
    [
      'a link that is not returned',
      `CREATE OPERATOR <<<< (LEFTARG = status, RIGHTARG = status, FUNCTION = same, NEGATOR = >>>>);
       UPDATE pg_operator SET oprnegate = 0 WHERE oprname = '>>>>'`,
      'operator <<<<(status,status)',
      'has another commutator',
    ],
    [
      'an operator that was never defined',
      `UPDATE pg_operator SET oprcode = 0 WHERE oid = '=== (status, status)'::regoperator`,
      'operator ===(status,status)',
      'never defined',
    ],
    [
      'a default operator class of a type elsewhere',
      `CREATE TYPE shared.far AS ENUM ('x'); CREATE FUNCTION cmp(shared.far, shared.far) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 0';
       CREATE OPERATOR CLASS c DEFAULT FOR TYPE shared.far USING btree AS FUNCTION 1 cmp(shared.far, shared.far)`,
      'operator class c for access method btree',
      'DEFAULT',
    ],
    [
      'an operator class in a family elsewhere',
      `CREATE OPERATOR FAMILY shared.fam USING btree;
       CREATE OPERATOR CLASS c FOR TYPE status USING btree FAMILY shared.fam AS FUNCTION 1 compared(status, status)`,
      'operator class c for access method btree',
      'family of this schema',
    ],
    [
      'a member of a family elsewhere',
      `CREATE OPERATOR FAMILY shared.fam USING btree; ALTER OPERATOR FAMILY shared.fam USING btree ADD OPERATOR 1 === (status, status)`,
      'operator 1 (status, status) of operator family shared.fam',
      'another schema',
    ],
    [
      'an operator class elsewhere',
      'CREATE OPERATOR CLASS shared.c FOR TYPE status USING btree AS FUNCTION 1 compared(status, status)',
      'operator class shared.c for access method btree',
      'another schema',
    ],
    [
      'an operator elsewhere',
      'CREATE OPERATOR shared.=== (LEFTARG = status, RIGHTARG = status, FUNCTION = same)',
      'operator shared.===(status,status)',
      'another schema',
    ],
    [
      'a cast between types elsewhere',
      `CREATE TYPE shared.far AS ENUM ('x'); CREATE FUNCTION to_far(text) RETURNS shared.far LANGUAGE sql AS $$ SELECT 'x'::shared.far $$;
       CREATE CAST (text AS shared.far) WITH FUNCTION to_far(text)`,
      'cast from text to shared.far',
      'another schema, or in none',
    ],
    [
      'a text search configuration elsewhere',
      `CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple); CREATE TEXT SEARCH CONFIGURATION shared.cfg (PARSER = "default");
       ALTER TEXT SEARCH CONFIGURATION shared.cfg ADD MAPPING FOR word WITH words`,
      'text search configuration shared.cfg',
      'another schema',
    ],
    [
      'a function elsewhere that takes a type of the schema',
      `CREATE FUNCTION shared.far(template.status) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
       CREATE FUNCTION near() RETURNS integer LANGUAGE sql RETURN shared.far('open')`,
      'function near()',
      'another schema that uses this schema',
    ],
    [
      'a domain elsewhere over a type of the schema',
      'CREATE DOMAIN shared.far AS template.status; ALTER TABLE orders ADD f shared.far',
      'table orders',
      'another schema that uses this schema',
    ],
    [
      'functions with standard bodies that call each other',
      `CREATE FUNCTION a() RETURNS integer LANGUAGE sql RETURN 1; CREATE FUNCTION b() RETURNS integer LANGUAGE sql RETURN a();
       CREATE OR REPLACE FUNCTION a() RETURNS integer LANGUAGE sql RETURN b()`,
      'function a()',
      'cycle',
    ],
    [
      'a domain whose default takes the domain',
      `CREATE DOMAIN d AS integer; CREATE FUNCTION first() RETURNS d LANGUAGE sql AS 'SELECT 1'; ALTER DOMAIN d SET DEFAULT first()`,
      'domain d',
      'cycle',
    ],
    ['a type of another user', 'ALTER TYPE status OWNER TO pg_monitor', 'type status', 'another user'],
    [
      'an operator of another user',
      'ALTER OPERATOR === (status, status) OWNER TO pg_monitor',
      'operator ===(status,status)',
      'another user',
    ],
    [
      'a transform',
      `CREATE TRANSFORM FOR status LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal))`,
      'transform for status language sql',
      'kind',
    ],
    [
      'an enum named like a type of PostgreSQL’s',
      `CREATE TYPE "text" AS ENUM ('x')`,
      'type template.text',
      'Choose another name',
    ],
    [
      'a composite named like a type of PostgreSQL’s',
      'CREATE TYPE "point" AS (x integer)',
      'type template.point',
      'Choose another name',
    ],
    [
      'a multirange named like PostgreSQL’s',
      'CREATE TYPE r AS RANGE (subtype = integer, multirange_type_name = int4multirange)',
      'type template.int4multirange',
      'Choose another name',
    ],
    [
      'a function named like one of PostgreSQL’s',
      `CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'`,
      'function template.lower(text)',
      'Choose another name',
    ],
    [
      'an aggregate named like one of PostgreSQL’s',
      'CREATE AGGREGATE max(integer) (SFUNC = int4larger, STYPE = integer)',
      'function template.max(integer)',
      'Choose another name',
    ],
    [
      'an operator named like one of PostgreSQL’s',
      'CREATE OPERATOR + (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4mi)',
      'operator template.+(integer,integer)',
      'Choose another name',
    ],
    [
      'a collation named like one of PostgreSQL’s',
      'CREATE COLLATION "POSIX" FROM "C"',
      'collation template."POSIX"',
      'Choose another name',
    ],
    [
      'a conversion named like one of PostgreSQL’s',
      `CREATE CONVERSION iso_8859_1_to_utf8 FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8`,
      'conversion',
      'Choose another name',
    ],
    [
      'an operator class named like one of PostgreSQL’s',
      'CREATE OPERATOR CLASS int4_ops FOR TYPE integer USING btree AS FUNCTION 1 btint4cmp(integer, integer)',
      'operator class template.int4_ops for access method btree',
      'Choose another name',
    ],
    [
      'an operator family named like one of PostgreSQL’s',
      'CREATE OPERATOR FAMILY float_ops USING btree',
      'operator family template.float_ops',
      'Choose another name',
    ],
    [
      'a dictionary named like one of PostgreSQL’s',
      'CREATE TEXT SEARCH DICTIONARY simple (TEMPLATE = simple)',
      'text search dictionary template.simple',
      'Choose another name',
    ],
    [
      'a configuration named like one of PostgreSQL’s',
      'CREATE TEXT SEARCH CONFIGURATION simple (PARSER = "default")',
      'text search configuration template.simple',
      'Choose another name',
    ],
    [
      'a template named like one of PostgreSQL’s',
      'CREATE TEXT SEARCH TEMPLATE simple (LEXIZE = dsimple_lexize)',
      'text search template template.simple',
      'Choose another name',
    ],
    [
      'a parser named like one of PostgreSQL’s',
      'CREATE TEXT SEARCH PARSER "default" (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)',
      'text search parser template."default"',
      'Choose another name',
    ],
    [
      'an operator of the schema that is named in a string',
      `CREATE FUNCTION f(status) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN $1 OPERATOR(template.===) $1; END'`,
      'function f(status)',
      'names the schema',
    ],
    [
      'a configuration of the schema that is named in a string',
      `CREATE TEXT SEARCH CONFIGURATION cfg (PARSER = "default");
       CREATE FUNCTION f(text) RETURNS tsvector LANGUAGE sql AS $$ SELECT to_tsvector('template.cfg', $1) $$`,
      'function f(text)',
      'names the schema',
    ],
    [
      'a dictionary of the schema that is named by an option',
      `CREATE TEXT SEARCH DICTIONARY stems (TEMPLATE = snowball, LANGUAGE = english);
       CREATE TEXT SEARCH DICTIONARY thes (TEMPLATE = thesaurus, DICTFILE = thesaurus_sample, DICTIONARY = template.stems)`,
      'text search dictionary thes',
      'names the schema',
    ],
  ])('%s', async (_, change, object, remedy) => {
    const { obstacles, message } = await refusal(change);
    const found = obstacles.filter((obstacle) => obstacle.object.startsWith(object));
    expect(found.map((obstacle) => obstacle.remedy).join()).toContain(remedy);
    expect(message).toContain(object);
  });
});

describe('a user who is no superuser', () => {
  beforeAll(async () => {
    await bench.executor.query(`CREATE ROLE ${USER}`);
    await bench.executor.query(
      `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ${USER}', current_database()); END $$`,
    );
    await bench.executor.query(`SET ROLE ${USER}`);
    await bench.build(
      'plain',
      `CREATE TYPE status AS ENUM ('open'); CREATE DOMAIN d AS status; CREATE TYPE c AS (d d);
       CREATE TYPE r AS RANGE (subtype = integer); CREATE TYPE u AS RANGE (subtype = status); CREATE COLLATION col FROM "C";
       CREATE FUNCTION f(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
       CREATE AGGREGATE agg(integer) (SFUNC = f, STYPE = integer);
       CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = f);
       CREATE CAST (status AS integer) WITH INOUT; CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
       CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = simple); CREATE TEXT SEARCH CONFIGURATION cfg (PARSER = "default");
       ALTER TEXT SEARCH CONFIGURATION cfg ADD MAPPING FOR word WITH dict;`,
    );
  });

  afterAll(async () => {
    await bench.executor.query(`RESET ROLE; DROP OWNED BY ${USER} CASCADE; DROP ROLE ${USER}`);
  });

  it('can clone types and routines of their own', async () => {
    await bench.clone('plain', 'plain_clone');
    await bench.clone('plain_clone', 'plain_again');
  });

  it.each([
    [
      'a leakproof function',
      'ALTER FUNCTION plain.f(integer, integer) LEAKPROOF',
      'function f(integer,integer)',
    ],
    [
      'a support function',
      'ALTER FUNCTION plain.f(integer, integer) SUPPORT textlike_support',
      'function f(integer,integer)',
    ],
    [
      'an aggregate with an internal state',
      `UPDATE pg_aggregate SET aggmtranstype = 'internal'::regtype WHERE aggfnoid = 'plain.agg'::regproc`,
      'function agg(integer)',
    ],
    [
      'a cast without a function',
      `UPDATE pg_cast SET castmethod = 'b' WHERE castsource = 'plain.status'::regtype`,
      'cast from status to integer',
    ],
    [
      'an operator family',
      `CREATE OPERATOR FAMILY plain.fam USING btree; ALTER OPERATOR FAMILY plain.fam USING btree OWNER TO ${USER}`,
      'operator family fam for access method btree',
    ],
    [
      'an operator class',
      `CREATE OPERATOR CLASS plain.oc FOR TYPE integer USING btree AS FUNCTION 1 btint4cmp(integer, integer);
       ALTER OPERATOR CLASS plain.oc USING btree OWNER TO ${USER}; ALTER OPERATOR FAMILY plain.oc USING btree OWNER TO ${USER}`,
      'operator class oc for access method btree',
    ],
    [
      'a text search template',
      'CREATE TEXT SEARCH TEMPLATE plain.tmpl (LEXIZE = dsimple_lexize)',
      'text search template tmpl',
    ],
    [
      'a text search parser',
      'CREATE TEXT SEARCH PARSER plain.prs (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)',
      'text search parser prs',
    ],
  ])('is refused %s, which only a superuser can make', async (_, change, object) => {
    const { obstacles } = await refusal(`RESET ROLE; ${change}; SET LOCAL ROLE ${USER}`, 'plain');
    expect(obstacles).toContainEqual({ object, remedy: expect.stringContaining('superuser') as string });
  });
});
