import { Test } from '@nestjs/testing';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { TenancyModule, TenantConnection, TenantLifecycle, type Tenant } from '../../lib';
import { type TestTenants, testTenants } from '../../lib/testing';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { CreateNotes1700000000000, notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

class AddNoteOfAll1700000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`INSERT INTO note (text) VALUES ('of all')`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DELETE FROM note');
  }
}

describe('Tenants for tests', () => {
  let database: TestDatabase;
  let running: TestApp;
  let tenants: TestTenants;

  const tenancy = () =>
    TenancyModule.forRoot(
      notesOptions(database, {
        migrations: [CreateNotes1700000000000, AddNoteOfAll1700000000001],
        templateData: ['note'],
      }),
    );

  beforeAll(async () => {
    database = await createTestDatabase();
    running = await startTestApp({ imports: [tenancy()] });
    tenants = testTenants({ app: running.app });
  });
  afterAll(async () => {
    await running.close();
    await database.drop();
  });

  const query = (sql: string): Promise<unknown> => running.app.get(TenantConnection).query(sql);
  const texts = (tenant: Tenant) => tenants.run(tenant, () => query('SELECT text FROM note ORDER BY id'));
  const write = () => query(`INSERT INTO note (text) VALUES ('mine')`);
  const slugs = async () =>
    (await database.query<{ slug: string }>(`SELECT slug FROM tenancy.tenants WHERE status <> 'purged'`)).map(
      ({ slug }) => slug,
    );

  it('have the rows of the template, and slugs that nobody has', async () => {
    const [one, other] = await Promise.all([tenants.make(), tenants.make({ slug: 'acme', name: 'Acme' })]);
    await tenants.run(one, write);
    await expect(texts(one)).resolves.toEqual([{ text: 'of all' }, { text: 'mine' }]);
    await expect(texts(other)).resolves.toEqual([{ text: 'of all' }]);
    expect(one.slug).toMatch(/^test-[0-9a-f]{16}$/);
    expect(other).toMatchObject({ slug: 'acme', name: 'Acme', status: 'active' });
  });

  it('keep nothing of what is rolled back', async () => {
    const tenant = await tenants.make();
    const seen = await tenants.rollBack(tenant, async () => {
      await write();
      return query('SELECT count(*)::int AS n FROM note');
    });
    expect(seen).toEqual([{ n: 2 }]);
    await expect(texts(tenant)).resolves.toEqual([{ text: 'of all' }]);
    const failing = () => Promise.reject(new Error('of the test'));
    await expect(tenants.rollBack(tenant, failing)).rejects.toThrow('of the test');
  });

  it('are as they were made when they are reset', async () => {
    const tenant = await tenants.make({ domains: ['shop.example.com'], metadata: { plan: 'free' } });
    await tenants.run(tenant, write);
    const anew = await tenants.reset(tenant);
    await expect(texts(anew)).resolves.toEqual([{ text: 'of all' }]);
    const { slug, domains, metadata } = tenant;
    expect(anew).toMatchObject({ slug, domains, metadata });
    await expect(tenants.run(tenant, () => query('SELECT 1 FROM note'))).rejects.toThrow();
  });

  it('are not to be had before the application is initialised, which is said', async () => {
    const module = Test.createTestingModule({ imports: [tenancy()] });
    const app = (await module.compile()).createNestApplication();
    const early = testTenants({ app });
    try {
      const told = { code: 'TEST_APP_NOT_READY', message: expect.stringContaining('await app.init()') };
      await expect(early.make()).rejects.toMatchObject(told);
      await app.init();
      await expect(early.make()).resolves.toMatchObject({ status: 'active' });
      await early.dropAll();
    } finally {
      await app.close();
    }
  });

  it('are purged, whatever became of them', async () => {
    const [deleted, gone] = [await tenants.make({ slug: 'deleted' }), await tenants.make({ slug: 'gone' })];
    await running.app.get(TenantLifecycle).delete(deleted.id);
    await tenants.drop(gone.id);
    await tenants.drop(gone.id);
    await running.create({ slug: 'kept' });
    await tenants.dropAll();
    await expect(slugs()).resolves.toEqual(['kept']);
  });
});
