import type { MigrationInterface } from 'typeorm';
import { FleetMigrator, type Tenant, TenantContext } from '../../../lib';
import { collectGarbage } from '../../support/collect-garbage';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from '../provisioning/app';

const TENANTS = 3_000;
/** A page of 500 and, now and then, the one before it. What a run keeps of one it keeps of all. */
const MAX_HELD = TENANTS / 2;

let context: TenantContext | undefined;
/** Whom the migration has met. It keeps nobody from being forgotten. */
const met: WeakRef<Tenant>[] = [];

class MeetTenant1700000001000 implements MigrationInterface {
  up(): Promise<void> {
    // The template has none.
    const tenant = context?.find();
    if (tenant) met.push(new WeakRef(tenant));
    return Promise.resolve();
  }

  async down(): Promise<void> {}
}

describe(`A run over ${TENANTS} tenants`, () => {
  let database: TestDatabase;
  let running: TestApp;

  beforeAll(async () => {
    database = await createTestDatabase();
    running = await startAppOn(database, { migrations: [MeetTenant1700000001000] });
    context = running.app.get(TenantContext);
    await database.query(
      `DO $$ BEGIN FOR i IN 1 .. ${TENANTS} LOOP EXECUTE 'CREATE SCHEMA t_' || i; END LOOP; END $$`,
    );
    await database.query(
      `INSERT INTO tenancy.tenants (id, slug, name, schema_name, status)
       SELECT gen_random_uuid(), 'tenant-' || i, 'x', 't_' || i, 'active' FROM generate_series(1, ${TENANTS}) i`,
    );
  });
  afterAll(async () => {
    await running?.app.close();
    await database?.drop();
  });

  it('holds a page or two of them, however many it has done', async () => {
    const held: number[] = [];
    const onProgress = (finished: number) => {
      if (finished < (held.length + 1) * 200) return;
      collectGarbage();
      held.push(met.filter((tenant) => tenant.deref() !== undefined).length);
    };
    await expect(running.app.get(FleetMigrator).up({ onProgress })).resolves.toMatchObject({ done: TENANTS });
    expect(met).toHaveLength(TENANTS);
    expect(held).toHaveLength(TENANTS / 200);
    expect(Math.max(...held)).toBeLessThan(MAX_HELD);
  });
});
