import { compileBlueprint } from '../../../lib/schema/blueprint';
import { fingerprintSchema } from '../../../lib/schema/fingerprint';
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
