import { Client } from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { type Tenant, TenantConnection, TenantProvisioner, TenantSweeper } from '../../../lib';
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { ownDatabase, schemasOf } from './app';

class AddPlace1700000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note ADD COLUMN place text');
  }
  async down(): Promise<void> {}
}

class AddWord1700000000002 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`INSERT INTO note (text) VALUES ('hello')`);
  }
  async down(): Promise<void> {}
}

describe('spares', () => {
  const { database, start, apps } = ownDatabase({ spares: { count: 3 }, sweeper: { intervalMs: 0 } });

  const refill = ({ app }: TestApp) => app.get(SpareRefill).refill();
  const spares = () =>
    database.query<{ slot: number; name: string; version: string }>(
      'SELECT slot, schema_name AS name, template_version AS version FROM tenancy.spares ORDER BY slot',
    );
  const names = async () => (await spares()).map(({ name }) => name);

  async function columns({ schemaName }: Pick<Tenant, 'schemaName'>): Promise<string[]> {
    const found = await database.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum`,
      [`${schemaName}.note`],
    );
    return found.map(({ name }) => name);
  }

  it('are made in the background from the start, under the names that their tenants’ schemas will have', async () => {
    await refill(await start());
    expect(await spares()).toMatchObject([{ slot: 0 }, { slot: 1 }, { slot: 2 }]);
    for (const { name } of await spares()) expect(name).toMatch(/^t_[a-z0-9]{20}$/);
    await expect(schemasOf(database)).resolves.toEqual([...(await names())].sort());
  });

  it('are given to new tenants, each to one, and made again', async () => {
    const app = await start();
    await refill(app);
    const before = await names();
    // An instance that takes without making new ones, so that all three meet the same spares.
    const taker = await start({ spares: { count: 0 } });
    const tenants = await Promise.all([1, 2, 3].map((n) => taker.create({ slug: `shop-${n}` })));
    expect(tenants.map(({ schemaName }) => schemaName).sort()).toEqual([...before].sort());
    await refill(app);
    const after = await names();
    expect(after).toHaveLength(3);
    expect(after.filter((name) => before.includes(name))).toEqual([]);
    await expect(schemasOf(database)).resolves.toHaveLength(6);
    await expect(
      database.query('SELECT obj_description(oid) AS comment FROM pg_namespace WHERE nspname = $1', [
        before[0],
      ]),
    ).resolves.toEqual([{ comment: expect.stringMatching(/^tenant shop-\d; registry [0-9a-f-]{36}$/) }]);
  });

  it('are as good as a fresh clone: same structure, same rows, hooks run when they are taken', async () => {
    const hooked: string[] = [];
    const app = await start({
      migrations: [CreateNotes1700000000000, AddWord1700000000002],
      templateData: ['note'],
      hooks: {
        onProvision: [
          async ({ schemaName }, manager) => {
            hooked.push(schemaName);
            await manager.query(`INSERT INTO note (text) VALUES ('hooked')`);
          },
        ],
      },
    });
    await refill(app);
    const before = await names();
    expect(hooked).toEqual([]);
    const tenant = await app.create({ slug: 'acme' });
    expect(before).toContain(tenant.schemaName);
    expect(hooked).toEqual([tenant.schemaName]);
    await expect(
      database.query(`SELECT id, text FROM ${tenant.schemaName}.note ORDER BY id`),
    ).resolves.toEqual([
      { id: 1, text: 'hello' },
      { id: 2, text: 'hooked' },
    ]);
    expect(tenant.templateVersion).toMatch(/^[0-9a-f]{64}$/);
  });

  it('go back when the creation fails', async () => {
    const app = await start({
      hooks: {
        onProvision: [
          ({ slug }) => {
            if (slug === 'broken') throw new Error('no');
          },
        ],
      },
    });
    await refill(app);
    const before = await spares();
    await app.create({ slug: 'acme' });
    await refill(app);
    const waiting = await spares();
    await expect(app.create({ slug: 'acme' })).rejects.toMatchObject({ code: 'TENANT_SLUG_TAKEN' });
    await expect(app.create({ slug: 'broken' })).rejects.toMatchObject({ code: 'PROVISION_HOOK_FAILED' });
    expect(await spares()).toEqual(waiting);
    await expect(schemasOf(database)).resolves.toEqual([before[0].name, ...(await names())].sort());
  });

  it('leave neither row nor schema when COMMIT went through, but its answer was lost', async () => {
    const app = await start({ spares: { count: 1 } });
    await refill(app);
    const [{ name }] = await spares();
    const { dataSource } = app.app.get(TenantConnection);
    const transaction = dataSource.transaction.bind(dataSource);
    jest.spyOn(dataSource, 'transaction').mockImplementationOnce(async (...work: unknown[]) => {
      await (transaction as (...work: unknown[]) => Promise<unknown>)(...work);
      throw new Error('Connection terminated unexpectedly');
    });
    await expect(app.create({ slug: 'lost' })).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' });
    await expect(database.query('SELECT slug FROM tenancy.tenants')).resolves.toEqual([]);
    await expect(schemasOf(database)).resolves.not.toContain(name);
    await refill(app);
    await expect(app.create({ slug: 'lost' })).resolves.toMatchObject({ status: 'active' });
  });

  it('run out, and tenants are cloned as without them', async () => {
    const app = await start({ spares: { count: 1 }, database: { url: database.url, poolSize: 3 } });
    await refill(app);
    const tenants = await Promise.all(
      Array.from({ length: 12 }, (_, n) => app.create({ slug: `shop-${n}` })),
    );
    expect(new Set(tenants.map(({ schemaName }) => schemaName)).size).toBe(12);
    for (const tenant of tenants) await expect(columns(tenant)).resolves.toEqual(['id', 'text']);
    await refill(app);
    expect(await spares()).toHaveLength(1);
  });

  it('whose schemas are gone are never taken, and made again', async () => {
    const app = await start();
    await refill(app);
    const [gone, , alsoGone] = await names();
    await database.query(`DROP SCHEMA ${gone} CASCADE; DROP SCHEMA ${alsoGone} CASCADE`);
    const taker = await start({ spares: { count: 0 } });
    const slugs = ['acme', 'globex', 'initech'];
    const taken = [];
    for (const slug of slugs) taken.push((await taker.create({ slug })).schemaName);
    expect(taken).not.toContain(gone);
    expect(await names()).toEqual([gone, alsoGone]);
    await taker.app.get(TenantSweeper).sweep();
    expect(await names()).toEqual([]);
    await refill(app);
    expect(await names()).toHaveLength(3);
    await database.query(`DROP SCHEMA ${(await names())[1]} CASCADE`);
    await refill(app);
    await expect(schemasOf(database)).resolves.toEqual([...taken, ...(await names())].sort());
  });

  it('of one slot are made by one of several instances', async () => {
    const first = await start({ spares: { count: 4, refillConcurrency: 2 } });
    const second = await start({ spares: { count: 4, refillConcurrency: 4 } });
    await Promise.all([refill(first), refill(second), refill(first), refill(second)]);
    await Promise.all([refill(first), refill(second)]);
    expect((await spares()).map(({ slot }) => slot)).toEqual([0, 1, 2, 3]);
    await expect(schemasOf(database)).resolves.toHaveLength(4);
  });

  it('of a slot that another instance is at work on are left to it', async () => {
    const app = await start({ spares: { count: 0 } });
    const other = new Client({ connectionString: database.url });
    await other.connect();
    await other.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('spares of tenancy'), 1)`);
    const filling = await start();
    await refill(filling);
    expect((await spares()).map(({ slot }) => slot)).toEqual([0, 2]);
    await other.end();
    await refill(filling);
    expect((await spares()).map(({ slot }) => slot)).toEqual([0, 1, 2]);
    await expect(app.create({ slug: 'any' })).resolves.toMatchObject({ status: 'active' });
  });

  it('of an older template are never given away, and dropped', async () => {
    const old = await start();
    await refill(old);
    const stale = await names();
    // An instance that makes none, so that the stale ones still lie there.
    const newer = await start({
      migrations: [CreateNotes1700000000000, AddPlace1700000000001],
      spares: { count: 0 },
    });
    const tenant = await newer.create({ slug: 'acme' });
    await expect(columns(tenant)).resolves.toEqual(['id', 'text', 'place']);
    expect(await names()).toEqual(stale);
    // The older instance sees the template move, too.
    await expect(columns(await old.create({ slug: 'globex' }))).resolves.toEqual(['id', 'text', 'place']);
    await refill(old);
    const fresh = await names();
    expect(fresh.filter((name) => stale.includes(name))).toEqual([]);
    for (const schemaName of fresh) await expect(columns({ schemaName })).resolves.toContain('place');
    await expect(schemasOf(database)).resolves.toHaveLength(3 + 2);
  });

  it('above a lower count are used up, or dropped when they are stale', async () => {
    await refill(await start());
    const fewer = await start({ spares: { count: 1 } });
    await refill(fewer);
    expect((await spares()).map(({ slot }) => slot)).toEqual([0, 1, 2]);
    const newer = await start({
      spares: { count: 1 },
      migrations: [CreateNotes1700000000000, AddPlace1700000000001],
    });
    await refill(newer);
    expect((await spares()).map(({ slot }) => slot)).toEqual([0]);
    await expect(schemasOf(database)).resolves.toHaveLength(1);
  });

  it('that cannot be made are a warning, not the end', async () => {
    const app = await start({ spares: { count: 0 } });
    await database.query('DROP TABLE tenancy.spares');
    app.app.get(SpareRefill).start();
    await expect(refill(app)).rejects.toMatchObject({ code: '42P01' });
    expect(app.log.warnings).toContainEqual(expect.stringContaining('Spare schemas are missing'));
  });

  it('under way are finished before the application closes', async () => {
    const app = await start({ spares: { count: 50 } });
    await app.close();
    apps.length = 0;
    await expect(schemasOf(database)).resolves.toEqual([...(await names())].sort());
    expect((await names()).length).toBeLessThan(50);
    await expect(
      database.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
      ),
    ).resolves.toEqual([]);
  });

  it('let 200 sign-ups at once through a pool of 10, none lost, none doubled', async () => {
    const app = await start({
      database: { url: database.url, poolSize: 10, connectTimeoutMs: 100_000 },
      spares: { count: 20, refillConcurrency: 2 },
    });
    await refill(app);
    const slugs = Array.from({ length: 200 }, (_, n) => `shop-${n}`);
    const provisioner = app.app.get(TenantProvisioner);
    const tenants = await Promise.all(slugs.map((slug) => provisioner.create({ slug })));
    expect(tenants.map(({ slug }) => slug)).toEqual(slugs);
    expect(new Set(tenants.map(({ schemaName }) => schemaName)).size).toBe(200);
    const kept = await database.query<{ slug: string; name: string }>(
      'SELECT slug, schema_name AS name FROM tenancy.tenants',
    );
    expect(kept.map(({ slug }) => slug).sort()).toEqual([...slugs].sort());
    await refill(app);
    const taken = kept.map(({ name }) => name);
    await expect(schemasOf(database)).resolves.toEqual([...taken, ...(await names())].sort());
  }, 120_000);
});
