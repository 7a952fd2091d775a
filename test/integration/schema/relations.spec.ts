import { compileBlueprint } from '../../../lib/schema/blueprint';
import { RELATION_TEMPLATES, RELATION_TEMPLATES_18, SURROUNDINGS } from './relations-templates';
import { SchemaBench } from './support';

let bench: SchemaBench;

beforeAll(async () => {
  bench = await SchemaBench.open();
  await bench.executor.query(SURROUNDINGS);
});

afterAll(() => bench.close());

describe('a clone is exact, and so is a clone of the clone, of', () => {
  it.each([
    ...Object.entries(RELATION_TEMPLATES).map(([subject, script]) => [subject, script, 15] as const),
    ...Object.entries(RELATION_TEMPLATES_18).map(([subject, script]) => [subject, script, 18] as const),
  ])('%s', async (_, script, since) => {
    if ((await bench.majorVersion()) < since) return;
    await bench.build('template', script);
    const statements = await bench.clone('template', 'clone');
    await bench.executor.query('BEGIN; DROP SCHEMA template CASCADE');
    const again = await compileBlueprint(bench.executor, 'clone');
    await bench.executor.query('ROLLBACK');
    expect(again.statements).toEqual(statements);
    await bench.clone('clone', 'grandchild');
  });
});

describe('the clone of', () => {
  const inClone = async <T>(script: string, work: () => Promise<T>): Promise<T> => {
    await bench.build('template', script);
    await bench.clone('template', 'clone');
    return bench.trial('clone', work);
  };

  it('a partitioned table sends rows to its own partitions, whose triggers fire', () =>
    inClone(
      `CREATE TABLE log (line text);
       CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (TG_TABLE_NAME); RETURN NULL; END $$;
       CREATE TABLE p (id integer PRIMARY KEY) PARTITION BY LIST (id);
       CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE rest PARTITION OF p DEFAULT;
       CREATE TRIGGER noted AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION note();
       ALTER TABLE rest DISABLE TRIGGER noted;`,
      async () => {
        await bench.executor.query('INSERT INTO p VALUES (1), (2)');
        expect(await bench.rows('SELECT tableoid::regclass::text AS place, id FROM p ORDER BY id')).toEqual([
          { place: 'p1', id: 1 },
          { place: 'rest', id: 2 },
        ]);
        expect(await bench.rows('SELECT line FROM log')).toEqual([{ line: 'p1' }]);
        expect(await bench.rows('SELECT count(*)::int AS count FROM template.p')).toEqual([{ count: 0 }]);
        await expect(bench.executor.query('INSERT INTO rest VALUES (2)')).rejects.toThrow('rest_pkey');
      },
    ));

  it('a foreign key to a partitioned table looks into the clone’s partitions', () =>
    inClone(
      `CREATE TABLE p (id integer PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p DEFAULT;
       CREATE TABLE child (p integer REFERENCES p ON DELETE CASCADE) PARTITION BY HASH (p);
       CREATE TABLE child_0 PARTITION OF child FOR VALUES WITH (MODULUS 1, REMAINDER 0);`,
      async () => {
        await bench.executor.query('INSERT INTO p VALUES (1); INSERT INTO child VALUES (1); DELETE FROM p');
        expect(await bench.rows('SELECT p FROM child')).toEqual([]);
        await bench.executor.query('INSERT INTO template.p VALUES (2)');
        await expect(bench.executor.query('INSERT INTO child VALUES (2)')).rejects.toThrow('child_p_fkey');
      },
    ));

  it('inheriting tables shows the children’s rows, and passes new columns on', () =>
    inClone(
      `CREATE TABLE top (id integer DEFAULT 1); CREATE TABLE kid (own integer) INHERITS (top);
       ALTER TABLE top ADD late integer; ALTER TABLE kid ALTER id SET DEFAULT 2;`,
      async () => {
        await bench.executor.query(
          'INSERT INTO kid DEFAULT VALUES; ALTER TABLE top DROP late, ADD more integer',
        );
        expect(await bench.rows('SELECT * FROM top')).toEqual([{ id: 2, more: null }]);
        expect(await bench.rows('SELECT * FROM kid')).toEqual([{ id: 2, own: null, more: null }]);
      },
    ));

  it('a materialized view holds what its own query gives there', () =>
    inClone(
      `CREATE TABLE t (id integer); CREATE MATERIALIZED VIEW m AS SELECT count(*)::int AS count FROM t;
       CREATE MATERIALIZED VIEW waiting AS SELECT 1 WITH NO DATA;`,
      async () => {
        expect(await bench.rows('SELECT * FROM m')).toEqual([{ count: 0 }]);
        await expect(bench.rows('SELECT * FROM waiting')).rejects.toThrow('has not been populated');
      },
    ));

  it('a rule writes into the clone’s tables', () =>
    inClone(
      `CREATE TABLE t (id integer); CREATE VIEW v AS SELECT id FROM t;
       CREATE RULE ins AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.id);`,
      async () => {
        await bench.executor.query('INSERT INTO v VALUES (5)');
        expect(await bench.rows('SELECT id FROM t')).toEqual([{ id: 5 }]);
        expect(await bench.rows('SELECT id FROM template.t')).toEqual([]);
      },
    ));
});

it('a clone does not take its access method from the session', async () => {
  await bench.build('template', 'CREATE TABLE t (id integer); CREATE MATERIALIZED VIEW m AS SELECT 1 AS x');
  await bench.executor.query('SET default_table_access_method = pile');
  try {
    await bench.clone('template', 'clone');
  } finally {
    await bench.executor.query('RESET default_table_access_method');
  }
});

describe('the cost of a blueprint', () => {
  it('does not follow the number of other schemas, whatever kinds of objects there are', async () => {
    const everything = Object.entries(RELATION_TEMPLATES).filter(
      ([subject]) =>
        subject === 'partitions of every kind' || /triggers|rules|statistics|materialized/.test(subject),
    );
    for (const place of [1, 2, 3]) {
      for (const [subject, script] of everything) await bench.build(`other ${place} ${subject}`, script);
    }
    for (const [subject] of everything) {
      await bench.inTransaction(async () => {
        const before = await bench.scannedRows();
        await compileBlueprint(bench.executor, `other 2 ${subject}`);
        const after = await bench.scannedRows();
        // Each of these catalogs has more rows than that, or grows with the schemas.
        const whole = [...after].filter(([name, tuples]) => tuples - (before.get(name) ?? 0) > 50);
        expect(whole).toEqual([]);
      });
    }
  });
});
