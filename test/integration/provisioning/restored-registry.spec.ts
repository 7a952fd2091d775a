import { type TenancyOptions, type Tenant, TenantLifecycle, TenantPurge, TenantSweeper } from '../../../lib';
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import type { TestApp } from '../../support/test-app';
import { ownDatabase, schemasOf } from './app';

/** What no test waits a day for. */
const AT_ONCE = { sweeper: { intervalMs: 0, orphanAfterMs: 0, purgeAfterMs: 0 } };
const COPY: Partial<TenancyOptions> = { registry: { schema: 'copy' }, templateSchema: 'copied_template' };

describe('a registry', () => {
  const { database, start, apps, closeAll } = ownDatabase(AT_ONCE);
  const sweep = ({ app }: TestApp) => app.get(TenantSweeper).sweep();
  const refill = ({ app }: TestApp) => app.get(SpareRefill).refill();

  describe('of an older backup, which lists a spare that is a tenant’s by now', () => {
    async function restored(version: string): Promise<Tenant> {
      await refill(await start({ spares: { count: 1 } }));
      const acme = await (await start()).create({ slug: 'acme' });
      await database.query(`INSERT INTO ${acme.schemaName}.note (text) VALUES ('acme’s')`);
      await closeAll();
      for (const table of ['tenant_event_outbox', 'tenant_migrations', 'tenants', 'spares'])
        await database.query(`DELETE FROM tenancy.${table}`);
      await database.query(
        `INSERT INTO tenancy.spares (slot, schema_name, template_version) VALUES (0, $1, $2)`,
        [acme.schemaName, version],
      );
      return acme;
    }
    async function templateVersion(): Promise<string> {
      await refill(await start({ spares: { count: 1 } }));
      const [{ version }] = await database.query<{ version: string }>(
        'SELECT template_version AS version FROM tenancy.spares',
      );
      await closeAll();
      return version;
    }

    it('gives its schema to no other tenant', async () => {
      const acme = await restored(await templateVersion());
      const app = await start();
      const globex = await app.create({ slug: 'globex' });
      expect(globex.schemaName).not.toBe(acme.schemaName);
    });

    it.each(['current', 'older'])(
      'drops nothing of it, and makes another spare; its version is %s',
      async (kind) => {
        const acme = await restored(kind === 'older' ? kind : await templateVersion());
        const app = await start({ spares: { count: 1 } });
        await refill(app);
        await expect(sweep(app)).resolves.toMatchObject({
          orphans: { dropped: [], withRows: [acme.schemaName] },
          problems: [],
        });
        expect(app.log.warnings).toContainEqual(
          expect.stringMatching(`spare is given up: .*"${acme.schemaName}"`),
        );
        await expect(database.query(`SELECT FROM ${acme.schemaName}.note`)).resolves.toHaveLength(1);
        await expect(schemasOf(database)).resolves.toHaveLength(2);
      },
    );
  });

  describe('that was copied within its database', () => {
    /** Both say that acme is theirs, and deleted. */
    async function copied(): Promise<{ original: TestApp; copy: TestApp; acme: Tenant }> {
      const original = await start();
      const acme = await original.create({ slug: 'acme' });
      const first = await start(COPY);
      await database.query(
        `UPDATE copy.registry_identity SET id = (SELECT id FROM tenancy.registry_identity);
         INSERT INTO copy.tenants SELECT * FROM tenancy.tenants; UPDATE copy.tenants SET status = 'deleted', deleted_from = 'active'`,
      );
      await first.close();
      apps.splice(apps.indexOf(first), 1);
      return { original, acme, copy: await start(COPY) };
    }

    it('drops no schema of the other’s, deleted or unknown, and says so from the start', async () => {
      const { original, copy, acme } = await copied();
      const globex = await original.create({ slug: 'globex' });
      expect(copy.log.warnings).toContainEqual(
        expect.stringContaining('UPDATE "tenancy".registry_identity SET id = DEFAULT'),
      );
      await expect(copy.app.get(TenantPurge).purge('acme')).rejects.toMatchObject({
        code: 'REGISTRY_COPIED',
        statusCode: 409,
      });
      await expect(sweep(copy)).resolves.toMatchObject({
        purged: [],
        orphans: { dropped: [] },
        problems: [expect.stringContaining('same id as this one')],
      });
      await expect(schemasOf(database)).resolves.toEqual(
        [acme, globex].map((each) => each.schemaName).sort(),
      );
    });

    it('drops its own again once the copy has an id of its own', async () => {
      const { original, copy } = await copied();
      await original.app.get(TenantLifecycle).delete('acme');
      const refusal = await original.app.get(TenantPurge).purge('acme').catch(String);
      await database.query(/UPDATE .*/.exec(refusal as string)![0]);
      await expect(copy.app.get(TenantPurge).purge('acme')).rejects.toThrow();
      await expect(original.app.get(TenantPurge).purge('acme')).resolves.toMatchObject({ slug: 'acme' });
    });
  });

  describe('that came back without its id', () => {
    it('does not hold up the start of its neighbour', async () => {
      await start({ registry: { schema: 'shop' }, templateSchema: 'shop_template' });
      await database.query('DELETE FROM shop.registry_identity');
      const app = await start();
      await app.create({ slug: 'acme' });
      await database.query(
        'DROP TABLE shop.registry_identity; CREATE TABLE shop.registry_identity (word text)',
      );
      await expect(sweep(app)).resolves.toMatchObject({ problems: [] });
    });

    it('says at the start what to do', async () => {
      await start();
      await database.query('DELETE FROM tenancy.registry_identity');
      await expect(start()).rejects.toThrow('INSERT INTO "tenancy".registry_identity DEFAULT VALUES');
    });
  });
});
