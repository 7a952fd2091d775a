import { compileBlueprint } from '../../../lib/schema/blueprint';
import { fingerprintSchema } from '../../../lib/schema/fingerprint';
import { KITCHEN_SINK, SHARED } from './kitchen-sink';
import { expectOtherPrints, type Prints, SchemaBench } from './support';
import { wideSchema } from './wide-schema';

let bench: SchemaBench;

beforeAll(async () => {
  bench = await SchemaBench.open();
  await bench.executor.query(SHARED);
  await bench.build('template', KITCHEN_SINK);
});

afterAll(() => bench.close());

const fingerprint = (schema: string) => fingerprintSchema(bench.executor, schema);

/** The template's prints before and after a change, which the trial around it undoes. */
async function around(change: string): Promise<[Prints, Prints]> {
  const before = await bench.prints('template');
  await bench.executor.query(change);
  return [before, await bench.prints('template')];
}

it('is 64 hexadecimal digits', async () => {
  expect(await bench.inTransaction(() => fingerprint('template'))).toMatch(/^[0-9a-f]{64}$/);
});

/** What, how, and what must be there first. */
const CHANGES: readonly (readonly [string, string, string?])[] = [
  // Tables
  ['a new table', 'CREATE TABLE one_more ()'],
  ['a dropped table', 'DROP TABLE marks'],
  ['the name of a table', 'ALTER TABLE marks RENAME TO signs'],
  ['a storage parameter of a table', 'ALTER TABLE customers SET (fillfactor = 71)'],
  ['a storage parameter of a toast table', 'ALTER TABLE customers SET (toast.autovacuum_enabled = true)'],
  ['the persistence of a table', 'ALTER TABLE marks SET UNLOGGED'],
  ['row level security', 'ALTER TABLE marks ENABLE ROW LEVEL SECURITY'],
  ['the replica identity of a table', 'ALTER TABLE marks REPLICA IDENTITY FULL'],
  ['the parent of a table', 'ALTER TABLE marks INHERIT shared.parent', 'CREATE TABLE shared.parent ()'],
  ['the comment on a table', `COMMENT ON TABLE customers IS 'x'`],
  // Columns
  ['a new column', 'ALTER TABLE marks ADD x integer'],
  ['a dropped column', 'ALTER TABLE visits DROP note'],
  ['the name of a column', 'ALTER TABLE visits RENAME note TO notes'],
  ['the order of columns', 'ALTER TABLE visits DROP note; ALTER TABLE visits ADD x text, ADD note text'],
  ['the type of a column', 'ALTER TABLE visits ALTER note TYPE varchar'],
  [
    'the length of a column',
    'ALTER TABLE orders ALTER tags TYPE text[], ALTER placed_at TYPE timestamptz(4)',
  ],
  ['the collation of a column', 'ALTER TABLE visits ALTER note TYPE text COLLATE "C"'],
  ['a default', 'ALTER TABLE orders ALTER total SET DEFAULT 1'],
  ['a default that is gone', 'ALTER TABLE orders ALTER total DROP DEFAULT'],
  ['not null', 'ALTER TABLE orders ALTER total DROP NOT NULL'],
  ['an identity', 'ALTER TABLE orders ALTER version SET GENERATED ALWAYS'],
  ['an identity that is gone', 'ALTER TABLE orders ALTER version DROP IDENTITY'],
  ['the steps of an identity', 'ALTER TABLE orders ALTER version SET INCREMENT 2'],
  ['a generated column made ordinary', 'ALTER TABLE orders ALTER doubled DROP EXPRESSION'],
  [
    'the expression of a generated column',
    'ALTER TABLE orders DROP doubled; ALTER TABLE orders ADD doubled numeric GENERATED ALWAYS AS (total * 3) STORED',
  ],
  ['the storage of a column', 'ALTER TABLE visits ALTER note SET STORAGE EXTERNAL'],
  ['the compression of a column', 'ALTER TABLE visits ALTER note SET COMPRESSION pglz'],
  ['the statistics target of a column', 'ALTER TABLE visits ALTER note SET STATISTICS 7'],
  ['the options of a column', 'ALTER TABLE visits ALTER note SET (n_distinct = 5)'],
  ['the comment on a column', `COMMENT ON COLUMN customers.name IS 'x'`],
  // Constraints
  ['a primary key', 'ALTER TABLE visits ADD PRIMARY KEY (id)'],
  ['the name of a constraint', 'ALTER TABLE orders RENAME CONSTRAINT orders_total TO x'],
  [
    'a check',
    'ALTER TABLE orders DROP CONSTRAINT orders_total, ADD CONSTRAINT orders_total CHECK (total >= 1) NOT VALID',
  ],
  ['the validity of a check', 'ALTER TABLE orders VALIDATE CONSTRAINT orders_total'],
  [
    'the columns of a unique constraint',
    'ALTER TABLE customers DROP CONSTRAINT customers_email_unique, ADD CONSTRAINT customers_email_unique UNIQUE NULLS NOT DISTINCT (email, name) DEFERRABLE INITIALLY DEFERRED',
  ],
  [
    'NULLS NOT DISTINCT',
    'ALTER TABLE customers DROP CONSTRAINT customers_email_unique, ADD CONSTRAINT customers_email_unique UNIQUE (email) DEFERRABLE INITIALLY DEFERRED',
  ],
  [
    'the deferral of a unique constraint',
    'ALTER TABLE customers DROP CONSTRAINT customers_email_unique, ADD CONSTRAINT customers_email_unique UNIQUE NULLS NOT DISTINCT (email) DEFERRABLE',
  ],
  [
    'the deferral of a foreign key',
    'ALTER TABLE lines ALTER CONSTRAINT lines_order DEFERRABLE INITIALLY IMMEDIATE',
  ],
  [
    'the action of a foreign key',
    'ALTER TABLE lines DROP CONSTRAINT lines_order, ADD CONSTRAINT lines_order FOREIGN KEY (order_id) REFERENCES orders MATCH FULL ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED',
  ],
  [
    'the target of a foreign key',
    'ALTER TABLE lines DROP CONSTRAINT lines_order, ADD CONSTRAINT lines_order FOREIGN KEY (order_id) REFERENCES shared.orders MATCH FULL ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED',
    'CREATE TABLE shared.orders (id bigint PRIMARY KEY)',
  ],
  ['a foreign key that is switched off', 'ALTER TABLE customers DISABLE TRIGGER ALL'],
  ['an exclusion that is gone', 'ALTER TABLE orders DROP CONSTRAINT orders_code_during_excl'],
  ['the comment on a constraint', `COMMENT ON CONSTRAINT customers_email_form ON customers IS 'x'`],
  // Indexes
  ['a new index', 'CREATE INDEX one_more ON visits (id)'],
  ['a dropped index', 'DROP INDEX orders_data'],
  ['the name of an index', 'ALTER INDEX orders_data RENAME TO x'],
  ['the method of an index', 'DROP INDEX orders_number; CREATE INDEX orders_number ON orders (number)'],
  [
    'the operator class of an index',
    'DROP INDEX orders_data; CREATE INDEX orders_data ON orders USING gin (data) WITH (fastupdate = off)',
  ],
  ['a storage parameter of an index', 'ALTER INDEX orders_data SET (fastupdate = on)'],
  ['a storage parameter of a key', 'ALTER INDEX orders_pkey SET (fillfactor = 61)'],
  [
    'the condition of an index',
    `DROP INDEX orders_placed; CREATE INDEX orders_placed ON orders USING brin (placed_at) WITH (pages_per_range = 8) WHERE total > 1`,
  ],
  [
    'the uniqueness of an index',
    'DROP INDEX orders_coded; CREATE UNIQUE INDEX orders_coded ON orders ((is_code(code)), (total + 1))',
  ],
  ['CLUSTER', 'ALTER TABLE orders CLUSTER ON orders_pkey'],
  ['the statistics target of an index', 'ALTER INDEX orders_coded ALTER COLUMN 1 SET STATISTICS 9'],
  ['the comment on an index', `COMMENT ON INDEX orders_code IS 'x'`],
  // Enums
  ['a new label', `ALTER TYPE order_status ADD VALUE 'new'`],
  ['the name of a label', `ALTER TYPE order_status RENAME VALUE 'open' TO 'opened'`],
  ['the name of an enum', 'ALTER TYPE order_status RENAME TO x'],
  ['the comment on an enum', `COMMENT ON TYPE order_status IS 'x'`],
  // Sequences
  ...['INCREMENT 6', 'MINVALUE 4', 'MAXVALUE 5001', 'START 11', 'CACHE 3', 'NO CYCLE', 'AS bigint'].map(
    (option) => [`a sequence's ${option}`, `ALTER SEQUENCE invoice_number ${option}`] as const,
  ),
  ['the owner of a sequence', 'ALTER SEQUENCE invoice_number OWNED BY orders.number'],
  ['a sequence that nobody owns any more', 'ALTER SEQUENCE visits_id_seq OWNED BY NONE'],
  ['the comment on a sequence', `COMMENT ON SEQUENCE invoice_number IS 'x'`],
  // Views
  [
    'the query of a view',
    'CREATE OR REPLACE VIEW a_totals WITH (security_barrier) AS SELECT customer, sum(total) + 1 AS total FROM z_orders GROUP BY customer',
  ],
  ['an option of a view', 'ALTER VIEW a_totals SET (security_barrier = false)'],
  ['the check option of a view', 'ALTER VIEW open_orders SET (check_option = cascaded)'],
  ['a default of a view', 'ALTER VIEW a_totals ALTER total SET DEFAULT 6'],
  ['the comment on a view', `COMMENT ON VIEW z_orders IS 'x'`],
  ['the comment on a column of a view', `COMMENT ON COLUMN z_orders.customer IS 'x'`],
  ['a rule', 'CREATE RULE r AS ON INSERT TO marks DO INSTEAD NOTHING'],
  // Functions
  [
    'the body of a function',
    `CREATE OR REPLACE FUNCTION bare() RETURNS text LANGUAGE sql SET search_path = '' AS 'SELECT 1'`,
  ],
  [
    'a standard body',
    'CREATE OR REPLACE FUNCTION is_code(value integer, floor_ integer DEFAULT 3) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN value >= floor_',
  ],
  [
    'the default of an argument',
    'CREATE OR REPLACE FUNCTION is_code(value integer, floor_ integer DEFAULT 4) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN value > floor_',
  ],
  [
    'the result of a function',
    "DROP FUNCTION bare(); CREATE FUNCTION bare() RETURNS varchar LANGUAGE sql SET search_path = '' AS $$ SELECT current_setting('search_path') $$",
  ],
  ['an overload', `CREATE FUNCTION bare(text) RETURNS text LANGUAGE sql AS 'SELECT $1'`],
  ...[
    'STABLE',
    'STRICT',
    'SECURITY DEFINER',
    'LEAKPROOF',
    'PARALLEL SAFE',
    'COST 3',
    'RESET search_path',
    `SET work_mem = '1MB'`,
  ].map((option) => [`a function's ${option}`, `ALTER FUNCTION bare() ${option}`] as const),
  ['a function’s ROWS', 'ALTER FUNCTION all_orders() ROWS 3'],
  ['the comment on a function', `COMMENT ON FUNCTION is_code(text) IS 'x'`],
  ['the comment on a procedure', `COMMENT ON PROCEDURE pay IS 'x'`],
  // Triggers
  ['the state of a trigger', 'ALTER TABLE customers DISABLE TRIGGER nickname'],
  ['the name of a trigger', 'ALTER TRIGGER nickname ON customers RENAME TO x'],
  [
    'the events of a trigger',
    `CREATE OR REPLACE TRIGGER nickname BEFORE INSERT ON customers FOR EACH ROW WHEN (NEW.nickname IS NULL) EXECUTE FUNCTION new_nickname('it''s')`,
  ],
  [
    'the condition of a trigger',
    `CREATE OR REPLACE TRIGGER nickname BEFORE INSERT OR UPDATE OF name ON customers FOR EACH ROW EXECUTE FUNCTION new_nickname('it''s')`,
  ],
  [
    'the arguments of a trigger',
    `CREATE OR REPLACE TRIGGER nickname BEFORE INSERT OR UPDATE OF name ON customers FOR EACH ROW WHEN (NEW.nickname IS NULL) EXECUTE FUNCTION new_nickname('x')`,
  ],
  ['the comment on a trigger', `COMMENT ON TRIGGER nickname ON customers IS 'x'`],
  // Kinds that the template has none of
  ['a domain', 'CREATE DOMAIN d AS text'],
  ['a statistics object', 'CREATE STATISTICS s ON total, code FROM orders'],
  ['a policy', 'CREATE POLICY p ON orders'],
  ['a materialized view', 'CREATE MATERIALIZED VIEW m AS SELECT 1'],
  [
    'an operator',
    'CREATE OPERATOR === (LEFTARG = text, FUNCTION = is_code, RIGHTARG = text)',
    "CREATE FUNCTION template.is_code(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
  ],
];

describe('a fingerprint changes with', () => {
  it.each(CHANGES.map(([what, change, first = '']) => [what, change, first] as const))(
    '%s',
    async (_, change, first) => {
      const [before, after] = await bench.trial('template', async () => {
        await bench.executor.query(first);
        return around(change);
      });
      expectOtherPrints(after, before);
    },
  );

  it('the order of labels', async () => {
    await bench.build('one', `CREATE TYPE e AS ENUM ('a', 'b')`);
    await bench.build('other', `CREATE TYPE e AS ENUM ('b', 'a')`);
    await bench.inTransaction(async () => {
      expect(await fingerprint('one')).not.toBe(await fingerprint('other'));
    });
  });
});

describe('a fingerprint does not change with', () => {
  it.each([
    ['rows', `INSERT INTO visits (note) VALUES ('x')`],
    ['the position of a sequence', `SELECT nextval('invoice_number')`],
    ['the schema’s comment', `COMMENT ON SCHEMA template IS 'x'`],
    ['ANALYZE', 'ANALYZE orders, customers'],
    ['a column that came and went', 'ALTER TABLE orders ADD x integer; ALTER TABLE orders DROP x'],
    ['an index that came and went', 'CREATE INDEX x ON marks ((1)); DROP INDEX x'],
    ['a table made again', 'DROP TABLE marks; CREATE TABLE marks ()'],
    [
      'the order of storage parameters',
      'ALTER TABLE customers RESET (fillfactor); ALTER TABLE customers SET (fillfactor = 70)',
    ],
    ['another schema', 'CREATE TABLE shared.other (LIKE orders)'],
    [
      'the settings of the session',
      `SET LOCAL TimeZone = 'Asia/Tokyo'; SET LOCAL DateStyle = 'German'; SET LOCAL IntervalStyle = 'iso_8601';
       SET LOCAL extra_float_digits = -5; SET LOCAL quote_all_identifiers = on; SET LOCAL search_path = ''`,
    ],
  ])('%s', async (_, change) => {
    const [before, after] = await bench.trial('template', () => around(change));
    expect(after).toEqual(before);
  });
});

describe('the cost of a fingerprint and of a blueprint', () => {
  const CATALOGS = 'class depend attribute type proc index constraint attrdef trigger description'.split(' ');

  /** Rows that scans of whole catalogs have read on this connection. */
  const scanned = async () => {
    const counts = await bench.rows<{ name: string; tuples: number }>(
      `SELECT name, pg_stat_get_xact_tuples_returned(('pg_' || name)::regclass)::int AS tuples
       FROM unnest($1::text[]) AS name`,
      [CATALOGS],
    );
    return new Map(counts.map(({ name, tuples }) => [name, tuples]));
  };

  it('does not follow the number of other schemas: no catalog is read whole', async () => {
    for (const schema of ['s1', 's2', 's3', 's4', 's5']) await bench.build(schema, wideSchema(20));
    for (const preparation of ['', 'ANALYZE']) {
      await bench.executor.query(preparation);
      await bench.inTransaction(async () => {
        const before = await scanned();
        await compileBlueprint(bench.executor, 's3');
        const after = await scanned();
        // Each catalog has hundreds of rows or thousands.
        expect(CATALOGS.filter((name) => (after.get(name) ?? 0) - (before.get(name) ?? 0) > 50)).toEqual([]);
      });
    }
  });
});
