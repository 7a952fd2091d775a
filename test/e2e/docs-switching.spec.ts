import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { codeBlocks } from '../support/readme';
import { rawRequest } from '../support/raw-request';
import { MASTER_KEY } from '../support/sample-app';

describe('docs/switching.md', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication | undefined;

  beforeEach(async () => {
    examples = writeExamples('docs/quick-start.md', 'docs/switching.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    await database.drop();
    examples.remove();
  });

  /** As an application works that knows no tenants: TypeORM's own migrations, in one schema. */
  async function before(schema: string, description: string): Promise<void> {
    const { Order } = await examples.import('order.entity.ts');
    const { CreateOrders1700000000000 } = await examples.import('create-orders.migration.ts');
    const source = new DataSource({
      type: 'postgres',
      url: database.url,
      schema,
      extra: { options: `-c search_path=${schema}` },
      entities: [Order],
      migrations: [CreateOrders1700000000000],
    });
    await source.initialize();
    await source.runMigrations();
    await source.getRepository(Order).save({ description });
    await source.destroy();
  }

  async function adopt(schemas: Record<string, string>): Promise<Record<string, string>> {
    const { AppModule } = await examples.import('app.module.ts');
    const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    return (await examples.import('adopt-schemas.ts')).adoptSchemas(app, schemas);
  }

  const sql = (name: string) => codeBlocks('docs/switching.md').find(({ test }) => test === name)!.text;

  const orders = async (tenant: string) => {
    const { body } = await rawRequest(await app!.getUrl(), '/orders', { headers: { 'x-tenant-id': tenant } });
    return (body as { orders: { description: string }[] }).orders.map(({ description }) => description);
  };

  it('makes a tenant of an application that had none, and leads back', async () => {
    await before('public', 'made before there were tenants');
    await database.query(sql('extensions'));
    await database.query(sql('sql'));
    await expect(adopt({ first: 'first_customer' })).resolves.toEqual({});
    await expect(orders('first')).resolves.toEqual(['made before there were tenants']);

    await app!.close();
    app = undefined;
    await database.query(sql('back'));
    await before('public', 'made after the way back');
    await expect(database.query('SELECT count(*)::int AS n FROM public.orders')).resolves.toEqual([{ n: 2 }]);
    await database.query('DROP SCHEMA tenancy, template CASCADE');
  });

  it('makes tenants of schemas, and says of each that is none why', async () => {
    for (const slug of ['acme', 'globex', 'hooli']) {
      await database.query(`CREATE SCHEMA shop_${slug}`);
      await before(`shop_${slug}`, `of ${slug}`);
    }
    await database.query(sql('extensions'));
    for (const slug of ['acme', 'globex']) await database.query(`DROP TABLE shop_${slug}.migrations`);
    const refused = await adopt({ acme: 'shop_acme', globex: 'shop_globex', hooli: 'shop_hooli' });
    expect(Object.keys(refused)).toEqual(['hooli']);
    expect(refused.hooli).toContain('migrations');
    await expect(orders('acme')).resolves.toEqual(['of acme']);
    await expect(orders('globex')).resolves.toEqual(['of globex']);
  });
});
