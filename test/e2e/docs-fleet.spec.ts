import { FleetMigrator } from '../../lib';
import { type Examples, writeExamples } from '../support/examples';
import { type ProvisioningApp, startProvisioningApp } from '../integration/provisioning/app';

describe('docs/fleet.md', () => {
  let examples: Examples;
  let running: ProvisioningApp;

  beforeAll(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/template.md', 'docs/fleet.md');
    const { CreateOrders1700000000000 } = await examples.import('create-orders.migration.ts');
    const { IndexOrders1700000002000 } = await examples.import('index-orders.migration.ts');
    running = await startProvisioningApp({
      entities: [],
      migrations: [CreateOrders1700000000000, IndexOrders1700000002000],
    });
  });
  afterAll(async () => {
    await running?.close();
    examples.remove();
  });

  it('settles what broke off as it says', async () => {
    const migrator = running.app.get(FleetMigrator);
    const { tryAgain, accept } = await examples.import('settle.ts');
    const tenants = [await running.create({ slug: 'acme' }), await running.create({ slug: 'globex' })];
    for (const { id, schemaName } of tenants) {
      await running.database.query(
        `UPDATE tenancy.tenant_migrations SET state = 'unfinished' WHERE tenant_id = '${id}' AND name LIKE 'Index%'`,
      );
      if (schemaName === tenants[0].schemaName)
        await running.database.query(`DROP INDEX ${schemaName}.orders_description`);
    }
    await expect(tryAgain(migrator, 'acme')).resolves.toBe(1);
    await expect(accept(migrator)).resolves.toBe(1);
    await expect(migrator.up()).resolves.toMatchObject({ state: 'done', done: 1 });
    await expect(
      running.database.query(`SELECT FROM pg_class WHERE relname = 'orders_description' AND relkind = 'i'`),
    ).resolves.toHaveLength(3);
  });
});
