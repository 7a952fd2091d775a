import { compileBlueprint } from '../../../lib/schema/blueprint';
import { fingerprintSchema } from '../../../lib/schema/fingerprint';
import { SchemaBench } from './support';
import { ROUTINES } from './types-and-routines';

let bench: SchemaBench;
let statements: string[];

beforeAll(async () => {
  bench = await SchemaBench.open();
  await bench.executor.query('CREATE SCHEMA shared');
  await bench.build('template', ROUTINES);
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

it('clones routines of every kind with the fingerprint of the template, again and again', async () => {
  expect(await fingerprint('clone')).toBe(await fingerprint('template'));
  const again = await bench.inTransaction(() => compileBlueprint(bench.executor, 'clone'));
  expect(again.statements).toEqual(statements);
});

describe('in a clone', () => {
  it('functions and procedures of one name are told apart by their arguments', async () => {
    await inClone(async () => {
      expect(await valueOf('f(1)')).toBe(2);
      expect(await valueOf(`f('x', 'y', 'z')`)).toBe('x');
      expect(await bench.rows(`SELECT * FROM f(true, both_ => 'b')`)).toEqual([{ Out: true, both_: 'b' }]);
      expect(await bench.rows(`CALL "Do It"(3, 'x', NULL)`)).toEqual([{ b: 'x3', c: 3 }]);
      expect(await valueOf('settled()')).toBe("it's, me");
      expect(await valueOf('factorial_of(5)')).toBe(120);
    });
  });

  it('functions and procedures work on its own tables', async () => {
    await bench.trial('clone', async () => {
      await bench.executor.query(`INSERT INTO template.items VALUES (9, 'far', 9)`);
      await bench.executor.query(`CALL add_item(1); UPDATE items SET name = 'near', price = 2`);
      expect(await bench.rows('SELECT * FROM priced(1)')).toEqual([{ id: 1, Name: 'near' }]);
      expect(await valueOf('a_sum()')).toBe('sum 2');
    });
  });

  it('aggregates compute, also over moving frames, in order and hypothetically', async () => {
    await inClone(async () => {
      const numbers = '(VALUES (1), (2), (4)) v (x)';
      expect(await valueOf(`summed(x::numeric) FROM ${numbers}`)).toBe('sum 7');
      expect(await valueOf(`summed(*)::int FROM ${numbers}`)).toBe(8);
      expect(await valueOf(`mean(x)::float FROM (VALUES (1), (2)) v (x)`)).toBe(1.5);
      expect(await valueOf(`least_of(x) FROM ${numbers}`)).toBe(1);
      expect(await valueOf(`glued(x::text ORDER BY x) FROM ${numbers}`)).toBe("it's \\ 124");
      expect(await valueOf(`middle(0.5) WITHIN GROUP (ORDER BY x) FROM ${numbers}`)).toBe(2);
      expect(await valueOf(`place(3) WITHIN GROUP (ORDER BY x)::int FROM ${numbers}`)).toBe(3);
      expect(
        await bench.rows(
          `SELECT summed(x::numeric) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM ${numbers}`,
        ),
      ).toEqual([{ s: 'sum 1' }, { s: 'sum 3' }, { s: 'sum 6' }]);
    });
  });

  it('aggregates and operators call the functions of the clone, not those of the template', async () => {
    await bench.trial('clone', async () => {
      await bench.executor.query(
        `CREATE OR REPLACE FUNCTION shown(numeric) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'ours' $$;
         CREATE OR REPLACE FUNCTION complex_eq(complex, complex) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT NULL::boolean'`,
      );
      expect(await valueOf('summed(1)')).toBe('ours');
      expect(await valueOf('template.summed(1)')).toBe('sum 1');
      expect(await valueOf('ROW(1, 1)::complex = ROW(1, 1)::complex')).toBe(null);
    });
  });

  it('operators, their classes and their indexes order rows', async () => {
    await inClone(async () => {
      await bench.executor.query(
        `INSERT INTO numbers (c, d, n, at) SELECT ROW(i, 0)::complex, ROW(-i, 1)::complex, i, point(i, i) FROM generate_series(1, 3) i`,
      );
      expect(await bench.rows('SELECT (c).r FROM numbers ORDER BY d')).toEqual([
        { r: 3 },
        { r: 2 },
        { r: 1 },
      ]);
      expect(await bench.rows('SELECT n FROM a_sorted()')).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
      await bench.executor.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off');
      expect(await bench.rows('SELECT n FROM numbers ORDER BY n USING >')).toEqual([
        { n: 3 },
        { n: 2 },
        { n: 1 },
      ]);
      expect(await bench.rows(`SELECT n FROM numbers ORDER BY at <-> '(3,3)' LIMIT 1`)).toEqual([{ n: 3 }]);
      expect(await valueOf('(- ROW(1, 2)::complex)::text')).toBe('(-1,-2)');
      expect(await valueOf('ROW(1, 2)::complex < 2::float8')).toBe(true);
    });
  });

  it('a unique index of its own operator class refuses a duplicate', async () => {
    await inClone(async () => {
      await bench.executor.query('INSERT INTO numbers (c, d) VALUES (ROW(1, 0), ROW(2, 0))');
      await expect(
        bench.executor.query('INSERT INTO numbers (c, d) VALUES (ROW(1, 5), ROW(2, 0))'),
      ).rejects.toThrow('numbers_pkey');
    });
  });

  it('a check by an operator on the whole row holds', async () => {
    await inClone(async () => {
      await bench.executor.query(
        `CREATE OR REPLACE FUNCTION row_like(items, items) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.id < 5'`,
      );
      await expect(bench.executor.query('CALL add_item(7)')).rejects.toThrow('like_itself');
    });
  });
});

describe('the order of statements', () => {
  it.each([
    [
      'a function with a standard body on views, tables and other functions',
      `CREATE TABLE z (id integer); CREATE VIEW y AS SELECT id FROM z; CREATE FUNCTION x() RETURNS bigint LANGUAGE sql
         BEGIN ATOMIC SELECT count(*) FROM y; END; CREATE FUNCTION a() RETURNS bigint LANGUAGE sql RETURN x();
       CREATE TABLE b (n bigint DEFAULT a()); CREATE VIEW c AS SELECT a() FROM b;`,
    ],
    [
      'an aggregate over an aggregate’s caller, in a function and a view',
      `CREATE TYPE z AS (x integer); CREATE FUNCTION y(z, integer) RETURNS z LANGUAGE sql IMMUTABLE AS 'SELECT ROW($1.x + $2)::z';
       CREATE AGGREGATE x(integer) (SFUNC = y, STYPE = z, INITCOND = '(0)');
       CREATE FUNCTION a() RETURNS z LANGUAGE sql RETURN (SELECT x(v) FROM (VALUES (1)) t (v)); CREATE VIEW b AS SELECT a();`,
    ],
    [
      'an operator whose partner was never defined',
      `CREATE FUNCTION z(integer, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
       CREATE OPERATOR @@@ (LEFTARG = integer, RIGHTARG = bigint, FUNCTION = z, COMMUTATOR = ###, NEGATOR = !@@)`,
    ],
    [
      'a default argument that calls a function with the row of a table with a default',
      `CREATE TABLE t (id integer); CREATE FUNCTION z(t DEFAULT NULL) RETURNS integer LANGUAGE sql RETURN 1;
       ALTER TABLE t ALTER id SET DEFAULT z(); CREATE FUNCTION a(x integer DEFAULT z()) RETURNS SETOF t LANGUAGE sql RETURN ROW(1)::t;`,
    ],
  ])('follows the dependencies of %s', async (_, script) => {
    await bench.build('ordered', script);
    await bench.clone('ordered', 'ordered_clone');
    await bench.clone('ordered_clone', 'ordered_again');
  });

  it('clones a function with transforms', async () => {
    await bench.executor.query(
      `CREATE TRANSFORM FOR integer LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal))`,
    );
    await bench.build(
      'transformed',
      `CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql TRANSFORM FOR TYPE integer AS 'SELECT 1'`,
    );
    expect(await bench.clone('transformed', 'transformed_clone')).toEqual([
      expect.stringContaining('TRANSFORM FOR TYPE integer'),
    ]);
    await bench.executor.query(
      'DROP SCHEMA transformed, transformed_clone CASCADE; DROP TRANSFORM FOR integer LANGUAGE sql',
    );
  });
});
