import { compileBlueprint } from '../../../lib/schema/blueprint';
import { fingerprintSchema } from '../../../lib/schema/fingerprint';
import { SchemaBench } from './support';
import { TYPES } from './types-and-routines';

let bench: SchemaBench;
let statements: string[];

beforeAll(async () => {
  bench = await SchemaBench.open();
  await bench.executor.query('CREATE SCHEMA shared');
  await bench.build('template', TYPES);
  statements = await bench.clone('template', 'clone');
});

afterAll(() => bench.close());

const fingerprint = (schema: string) => bench.inTransaction(() => fingerprintSchema(bench.executor, schema));

/** In the clone, with the template gone: whatever works needs nothing of it. */
const inClone = <T>(work: () => Promise<T>): Promise<T> =>
  bench.trial('clone', async () => {
    await bench.executor.query('SET LOCAL client_min_messages = error; DROP SCHEMA template CASCADE');
    return work();
  });

const valueOf = async (expression: string): Promise<unknown> =>
  (await bench.rows<{ value: unknown }>(`SELECT (SELECT ${expression}) AS value`))[0].value;

it('clones types of every kind with the fingerprint of the template, again and again', async () => {
  expect(await fingerprint('clone')).toBe(await fingerprint('template'));
  const again = await bench.inTransaction(() => compileBlueprint(bench.executor, 'clone'));
  expect(again.statements).toEqual(statements);
});

it('leaves everything in place when the template is dropped', async () => {
  const count = () => valueOf(`count(*)::int FROM pg_type WHERE typnamespace = 'clone'::regnamespace`);
  const before = await count();
  expect(await inClone(count)).toEqual(before);
});

describe('in a clone', () => {
  it('enums keep the order of their labels', async () => {
    await inClone(async () => {
      expect(await valueOf(`enum_range(NULL::mood)::text`)).toBe(String.raw`{sad,calm,"it's \\ ok",happy}`);
    });
  });

  it('composite types keep their attributes, in order', async () => {
    await inClone(async () => {
      expect(
        await valueOf(
          `to_jsonb(ROW(1, 'b', '2024-01-02 03:04:05.6789', '{1.239}', 'sad', 'c')::"Mixed Case")`,
        ),
      ).toEqual({
        'a b': 1,
        select: 'b',
        at: '2024-01-02T03:04:05.679',
        amounts: [1.24],
        m: 'sad',
        last: 'c',
      });
    });
  });

  it.each([
    ['a check', `''::parent`, 'not empty'],
    ['the check of the domain below', `''::child`, 'not empty'],
    ['a check of its own', `'abcdef'::child`, 'child_check'],
    ['not null', `NULL::child`, 'does not allow null'],
    ['a check that was never validated', `(-1)::late`, 'unproven'],
    ['a check of an array', `'{sad,sad,sad}'::moods`, 'moods_check'],
    ['a check of a composite', `ROW(0, '', NULL, NULL, NULL, NULL)::pair`, 'pair_check'],
    ['a check by a function that takes the domain', `10::looped`, 'small'],
    ['a check that casts', `'sad'::above_sad`, 'above_sad_check'],
  ])('refuses what %s refuses', async (_, expression, message) => {
    await inClone(async () => {
      await expect(valueOf(expression)).rejects.toThrow(message);
    });
  });

  it('domains call the functions of the clone', async () => {
    await bench.trial('clone', async () => {
      await bench.executor.query(
        `CREATE OR REPLACE FUNCTION is_small(integer, others looped[] DEFAULT '{}') RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'`,
      );
      expect(await valueOf('10::looped')).toBe(10);
      await expect(valueOf('10::template.looped')).rejects.toThrow('small');
    });
  });

  it('columns get the defaults of their domains, and of no domain that has dropped its own', async () => {
    await inClone(async () => {
      await bench.executor.query(`INSERT INTO guests (id, w, name) VALUES (1, 'w', 'Ann')`);
      expect(await bench.rows('SELECT h, d, n, ms, s, many, renamed FROM guests')).toEqual([
        { h: 'x', d: null, n: '70', ms: '{sad}', s: '[2020-01-01,2020-02-01)', many: '{}', renamed: '[a,b)' },
      ]);
    });
  });

  it('range types have their own order, difference, multirange and constructors', async () => {
    await inClone(async () => {
      expect(await valueOf(`'item 9'::text <@ first_name('item 10', 'item 2')`)).toBe(false);
      expect(await valueOf(`"Many Stays"(stay('2020-01-01', '2020-01-03'))::text`)).toBe(
        '{[2020-01-01,2020-01-03)}',
      );
      expect(await valueOf(`'calm'::mood <@ mood_range('sad', 'happy')`)).toBe(true);
      expect(await valueOf(`rngsubdiff::regproc::text FROM pg_range WHERE rngtypid = 'stay'::regtype`)).toBe(
        'days',
      );
    });
  });

  it('collations sort and compare as in the template', async () => {
    await inClone(async () => {
      await bench.executor.query(
        `INSERT INTO guests (id, w, name, sorted) VALUES (1, 'w', 'Ann', 'a10'), (2, 'w', 'Bob', 'a9')`,
      );
      expect(await bench.rows('SELECT sorted FROM guests ORDER BY sorted')).toEqual([
        { sorted: 'a9' },
        { sorted: 'a10' },
      ]);
      expect(await valueOf(`count(*)::int FROM guests WHERE name = 'ANN'`)).toBe(1);
    });
  });

  it('casts work in expressions that were written with them', async () => {
    await inClone(async () => {
      expect(await valueOf(`a_number('calm')`)).toBe(2);
      expect(await valueOf(`'happy'::mood + 1`)).toBe(5);
      expect(await valueOf(`pg_typeof((SELECT m FROM (SELECT 'sad'::mood::text AS m) x))::text`)).toBe(
        'text',
      );
    });
  });

  it('functions take rows and composites of rows', async () => {
    await inClone(async () => {
      await bench.executor.query(`INSERT INTO guests (id, w, name) VALUES (1, 'w', 'Ann')`);
      expect(await valueOf(`size(ROW(g, ARRAY[g, g])::party) FROM guests g`)).toBe(3);
      await expect(
        bench.executor.query(`INSERT INTO parties SELECT 1, ROW(g, ARRAY[g, g, g])::party FROM guests g`),
      ).rejects.toThrow('parties_p_check');
    });
  });

  it('text search goes through its own parser, dictionaries and configuration', async () => {
    await inClone(async () => {
      await bench.executor.query(`INSERT INTO pages VALUES ('the supernovae stars 12')`);
      expect(await bench.rows('SELECT words::text, config::text FROM pages')).toEqual([
        { words: expect.stringContaining("'12'") as string, config: '"Own Words"' },
      ]);
      await bench.executor.query('ALTER TEXT SEARCH CONFIGURATION "Own Words" DROP MAPPING FOR uint');
      expect(await valueOf(`to_tsvector('"Own Words"', '12')::text`)).toBe('');
    });
  });
});

describe('the order of statements', () => {
  it.each([
    [
      'a composite of a composite',
      'CREATE TYPE z AS (x integer); CREATE TYPE y AS (z z); CREATE TYPE a AS (y y[]);',
    ],
    ['a domain over a later name', 'CREATE DOMAIN z AS integer; CREATE DOMAIN a AS z;'],
    [
      'a range over an enum in a domain',
      `CREATE TYPE z AS ENUM ('x'); CREATE TYPE m AS RANGE (subtype = z); CREATE DOMAIN a AS m;`,
    ],
    [
      'a domain whose check reads a table',
      `CREATE TABLE z (id integer); CREATE FUNCTION known(integer) RETURNS boolean LANGUAGE sql STABLE
         BEGIN ATOMIC SELECT EXISTS (SELECT FROM z WHERE id = $1); END;
       CREATE DOMAIN a AS integer CHECK (known(VALUE)); CREATE TABLE b (a a);`,
    ],
    [
      'a domain whose default reads a sequence, in a table that a function takes',
      `CREATE SEQUENCE z; CREATE DOMAIN d AS bigint DEFAULT nextval('z'); CREATE TABLE t (d d);
       CREATE FUNCTION a(t) RETURNS d LANGUAGE sql RETURN $1.d; ALTER TABLE t ADD e d CHECK (a(t) IS NULL);`,
    ],
    [
      'a composite that holds a table’s rows, in another table',
      'CREATE TABLE z (id integer); CREATE TYPE c AS (z z); CREATE TABLE a (c c); CREATE TYPE b AS (a a[]);',
    ],
    [
      'functions that need each other’s types',
      `CREATE TYPE e AS ENUM ('x'); CREATE FUNCTION z(e) RETURNS integer LANGUAGE sql IMMUTABLE RETURN 1;
       CREATE DOMAIN d AS e CHECK (z(VALUE) > 0); CREATE FUNCTION a(x d DEFAULT 'x') RETURNS integer LANGUAGE sql RETURN z(x);`,
    ],
    [
      'a cast whose function casts',
      `CREATE TYPE a AS ENUM ('x'); CREATE TYPE b AS ENUM ('x');
       CREATE FUNCTION of_b(b) RETURNS integer LANGUAGE sql IMMUTABLE RETURN 1; CREATE CAST (b AS integer) WITH FUNCTION of_b(b);
       CREATE FUNCTION of_a(a) RETURNS integer LANGUAGE sql IMMUTABLE RETURN 'x'::b::integer; CREATE CAST (a AS integer) WITH FUNCTION of_a(a);`,
    ],
    [
      'an expression that casts',
      `CREATE TYPE e AS ENUM ('x'); CREATE CAST (e AS integer) WITH INOUT; CREATE CAST (integer AS e) WITH INOUT AS IMPLICIT;
       CREATE FUNCTION a() RETURNS e LANGUAGE sql BEGIN ATOMIC SELECT 1::e; END;
       CREATE TABLE t (id integer DEFAULT a()::integer);`,
    ],
  ])('follows the dependencies of %s', async (_, script) => {
    await bench.build('ordered', script);
    await bench.clone('ordered', 'ordered_clone');
    await bench.clone('ordered_clone', 'ordered_again');
  });

  it('clones casts between two schemas with the type at hand', async () => {
    await bench.build('other', `CREATE TYPE other_type AS ENUM ('x')`);
    await bench.build('ours', `CREATE TYPE e AS ENUM ('x'); CREATE CAST (e AS other.other_type) WITH INOUT;`);
    await bench.clone('ours', 'ours_clone');
    expect(await valueOf(`'x'::ours_clone.e::other.other_type::text`)).toBe('x');
    await bench.clone('other', 'other_clone');
    expect(await valueOf(`'x'::ours.e::other_clone.other_type::text`)).toBe('x');
  });
});

describe('names of types', () => {
  const hostile = [
    'Mixed Case',
    'select',
    'quo"te',
    'dot.ted',
    'ünïcödé ✓',
    'é'.repeat(29),
    'b\\s',
    '%I',
    "it's",
  ];

  it.each(hostile)('may be hostile: %j', async (name) => {
    const quoted = (suffix: string) => `"${name.replaceAll('"', '""')}${suffix}"`;
    const literal = `E'${name.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
    await bench.build(
      'named',
      `CREATE COLLATION ${quoted('')} FROM "C";
       CREATE TYPE ${quoted('')} AS ENUM (${literal});
       CREATE TYPE ${quoted('_c')} AS (${quoted('')} ${quoted('')}, ${quoted('2')} text COLLATE ${quoted('')});
       CREATE DOMAIN ${quoted('_d')} AS ${quoted('')} DEFAULT ${literal} CONSTRAINT ${quoted('')} CHECK (VALUE <> ${literal}) NOT NULL;
       CREATE TYPE ${quoted('_r')} AS RANGE (subtype = ${quoted('')}, multirange_type_name = ${quoted('_m')});
       CREATE TEXT SEARCH DICTIONARY ${quoted('')} (TEMPLATE = simple);
       CREATE TEXT SEARCH CONFIGURATION ${quoted('')} (PARSER = "default");
       ALTER TEXT SEARCH CONFIGURATION ${quoted('')} ADD MAPPING FOR word WITH ${quoted('')};
       CREATE FUNCTION ${quoted('')}(${quoted('_d')}) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
       CREATE CAST (${quoted('_d')} AS integer) WITH FUNCTION ${quoted('')}(${quoted('_d')});
       CREATE AGGREGATE ${quoted('')}(${quoted('')} integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '1');
       CREATE OPERATOR FAMILY ${quoted('')} USING btree;
       COMMENT ON TYPE ${quoted('_m')} IS ${literal}; COMMENT ON COLUMN ${quoted('_c')}.${quoted('')} IS ${literal};
       COMMENT ON CONSTRAINT ${quoted('')} ON DOMAIN ${quoted('_d')} IS ${literal}; COMMENT ON COLLATION ${quoted('')} IS ${literal};
       COMMENT ON TEXT SEARCH CONFIGURATION ${quoted('')} IS ${literal}; COMMENT ON AGGREGATE ${quoted('')}(integer) IS ${literal};
       COMMENT ON OPERATOR FAMILY ${quoted('')} USING btree IS ${literal};`,
    );
    await bench.clone('named', 'named_clone');
    await bench.clone('named_clone', 'named_again');
  });
});

it('keeps the names of not-null constraints of domains, which they have from PostgreSQL 17 on', async () => {
  const [{ version }] = await bench.rows<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  if (version < 170_000) return;
  await bench.build(
    'seventeen',
    `CREATE DOMAIN d AS integer CONSTRAINT "not nothing" NOT NULL; CREATE DOMAIN e AS d NOT NULL;
     ALTER DOMAIN e RENAME TO f; COMMENT ON CONSTRAINT "not nothing" ON DOMAIN d IS 'why';
     CREATE COLLATION b (PROVIDER = builtin, LOCALE = 'C.UTF-8'); CREATE COLLATION u FROM ucs_basic;
     CREATE COLLATION ruled (PROVIDER = icu, LOCALE = 'und', RULES = '&V << w <<< W');`,
  );
  await bench.clone('seventeen', 'seventeen_clone');
  await expect(valueOf('NULL::seventeen_clone.d')).rejects.toThrow('does not allow null');
});
