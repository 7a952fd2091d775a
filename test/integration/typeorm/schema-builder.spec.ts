import {
  type MigrationInterface,
  type QueryRunner,
  Table,
  TableColumn,
  TableForeignKey,
  TableIndex,
  TableUnique,
  View,
} from 'typeorm';
import { type TwoTenants, twoTenants } from '../../support/two-tenants';
import { SHOP_ENTITIES } from './shop-entities';

/** Through TypeORM's own methods, as generated and hand-written migrations do. */
class CreateInvoices1700000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createTable(
      new Table({
        name: 'invoice',
        columns: [
          { name: 'id', type: 'int', isPrimary: true, isGenerated: true, generationStrategy: 'identity' },
          { name: 'key', type: 'uuid', isGenerated: true, generationStrategy: 'uuid' },
          { name: 'state', type: 'enum', enum: ['draft', 'sent'], default: `'draft'` },
          { name: 'note_id', type: 'int', isNullable: true },
          { name: 'title', type: 'text' },
        ],
      }),
    );
    await queryRunner.addColumn(
      'invoice',
      new TableColumn({ name: 'shout', type: 'text', generatedType: 'STORED', asExpression: 'upper(title)' }),
    );
    await queryRunner.createForeignKey(
      'invoice',
      new TableForeignKey({
        columnNames: ['note_id'],
        referencedTableName: 'note',
        referencedColumnNames: ['id'],
      }),
    );
    await queryRunner.createIndex('invoice', new TableIndex({ columnNames: ['title'] }));
    await queryRunner.createUniqueConstraint('invoice', new TableUnique({ columnNames: ['key'] }));
    // A value that is added, then one that is taken away, which makes a new type.
    for (const values of [
      ['draft', 'sent', 'paid'],
      ['draft', 'paid'],
    ]) {
      await queryRunner.changeColumn(
        'invoice',
        'state',
        new TableColumn({ name: 'state', type: 'enum', enum: values, default: `'draft'` }),
      );
    }
    await queryRunner.renameColumn('invoice', 'title', 'subject');
    await queryRunner.createView(
      new View({ name: 'paid_invoice', expression: `SELECT id FROM invoice WHERE state = 'paid'` }),
      true,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropView('paid_invoice');
    await queryRunner.dropColumn('invoice', 'state');
    await queryRunner.dropTable('invoice');
  }
}

describe.each([1, 3])('TypeORM’s schema builder in a pool of %i', (poolSize) => {
  let world: TwoTenants;

  beforeAll(async () => {
    world = await twoTenants(poolSize, { entities: SHOP_ENTITIES, uuidExtension: 'pgcrypto' } as never);
  });
  afterAll(() => world.close());

  /** For both schemas at once. */
  const inBoth = <T>(work: (schemaName: string) => Promise<T>): Promise<T[]> =>
    Promise.all(
      [world.acme, world.globex].map(({ schemaName }) =>
        world.context.runInSchema(schemaName, () => work(schemaName)),
      ),
    );
  const objects = (schema: string) =>
    world.database.query<{ name: string; kind: string }>(
      `SELECT relname AS name, relkind::text AS kind FROM pg_class WHERE relnamespace = '${schema}'::regnamespace
       UNION ALL SELECT typname, 'type' FROM pg_type WHERE typnamespace = '${schema}'::regnamespace AND typtype = 'e'
       UNION ALL SELECT conname, 'constraint' FROM pg_constraint WHERE connamespace = '${schema}'::regnamespace
       ORDER BY 1, 2`,
    );
  const metadata = (schema: string) =>
    world.database.query(
      `SELECT type, schema, "table", name FROM ${schema}.typeorm_metadata ORDER BY type, name`,
    );

  it('makes everything that entities need without naming a schema', async () => {
    await inBoth(() => world.dataSource.synchronize());
    const acme = await objects('t_acme');
    expect(acme).toEqual(await objects('t_globex'));
    expect(acme).toEqual(
      expect.arrayContaining([
        { name: 'order_status_enum', kind: 'type' },
        { name: 'category_closure', kind: 'r' },
        { name: 'customer_summary', kind: 'v' },
        { name: 'stock_report', kind: 'm' },
      ]),
    );
    await expect(objects('public')).resolves.toEqual([]);
    for (const schema of ['t_acme', 't_globex']) {
      await expect(metadata(schema)).resolves.toEqual([
        { type: 'GENERATED_COLUMN', schema, table: 'order', name: 'shout' },
        { type: 'MATERIALIZED_VIEW', schema, table: null, name: 'stock_report' },
        { type: 'VIEW', schema, table: null, name: 'customer_summary' },
      ]);
    }
  });

  it('makes a view of the schema that it was made in', async () => {
    const [{ oid }] = await world.database.query<{ oid: number }>(
      `SELECT DISTINCT refobjid::oid AS oid FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid
       WHERE ev_class = 't_globex.stock_report'::regclass AND refclassid = 'pg_class'::regclass
         AND refobjid <> ev_class AND deptype = 'n'`,
    );
    await expect(world.database.query(`SELECT ${oid}::regclass::text AS name`)).resolves.toEqual([
      { name: 't_globex.product' },
    ]);
  });

  it('does not recognise what is there, and would make all of it again', async () => {
    const { upQueries } = await world.context.runInSchema('t_acme', () =>
      world.dataSource.driver.createSchemaBuilder().log(),
    );
    expect(upQueries.map(({ query }) => query.split(' (')[0])).toEqual(
      expect.arrayContaining([
        'CREATE TABLE "customer"',
        'CREATE TABLE "order"',
        'CREATE TABLE "category_closure"',
      ]),
    );
    expect(upQueries.filter(({ query }) => query.includes('t_acme'))).toEqual([]);
  });

  it('runs migrations that use it in two schemas at once, and takes them back', async () => {
    const before = await objects('t_acme');
    const migration = new CreateInvoices1700000000000();
    const run = (direction: 'up' | 'down') =>
      inBoth(() =>
        world.dataSource.transaction(async ({ queryRunner }) =>
          migration[direction](queryRunner as QueryRunner),
        ),
      );

    await run('up');
    for (const schema of ['t_acme', 't_globex']) {
      await expect(metadata(schema)).resolves.toEqual(
        expect.arrayContaining([
          { type: 'GENERATED_COLUMN', schema, table: 'invoice', name: 'shout' },
          { type: 'VIEW', schema, table: null, name: 'paid_invoice' },
        ]),
      );
    }
    await world.query(world.acme, `INSERT INTO invoice (subject, state) VALUES ('acme', 'paid')`);
    await expect(world.query(world.acme, 'SELECT id, shout, state FROM invoice')).resolves.toEqual([
      { id: 1, shout: 'ACME', state: 'paid' },
    ]);
    await expect(world.query(world.globex, 'SELECT id FROM invoice')).resolves.toEqual([]);

    await run('down');
    await expect(objects('t_acme')).resolves.toEqual(before);
    await expect(objects('t_globex')).resolves.toEqual(before);
    await expect(objects('public')).resolves.toEqual([]);
    for (const schema of ['t_acme', 't_globex']) {
      await expect(metadata(schema)).resolves.toHaveLength(3);
    }
  });
});
