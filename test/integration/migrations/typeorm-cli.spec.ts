import { execFile } from 'node:child_process';
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TenantConnection, TenantContext } from '../../../lib';
import { programArguments, REPOSITORY } from '../../support/commands';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from '../provisioning/app';
import { Customer, Sale, SHOP } from './shop';

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  mkdirSync(join(REPOSITORY, '.data'), { recursive: true });
  folder = mkdtempSync(join(REPOSITORY, '.data/shop-migrations-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await database.drop();
});

/** What `typeorm <command> -d shop-data-source.ts …` prints, and its exit code. */
function typeorm(command: string, ...args: string[]): Promise<{ output: string; code: number }> {
  const here = 'test/integration/migrations';
  const program = programArguments(join(REPOSITORY, here, 'typeorm-cli.ts'));
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...program, command, ...args, '-d', `${here}/shop-data-source.ts`],
      {
        cwd: REPOSITORY,
        env: { ...process.env, SHOP_DATABASE_URL: database.url, SHOP_MIGRATIONS: folder },
      },
      (error, stdout, stderr) => resolve({ output: stdout + stderr, code: Number(error?.code ?? 0) }),
    );
  });
}

const startShop = (): Promise<TestApp> =>
  startAppOn(database, {
    entities: SHOP,
    migrations: [join(folder, '*.ts')],
    templateSchema: 'my template',
  });

describe('TypeORM’s command line, on the template', () => {
  it.each(['migration:run', 'migration:revert', 'schema:sync'])(
    'refuses %s, which would leave tenants out',
    async (command) => {
      await expect(typeorm(command)).resolves.toMatchObject({
        output: expect.stringContaining('it would skip the tenants'),
        code: 1,
      });
      // Where there was no template before, there is none.
      await expect(
        database.query("SELECT FROM pg_namespace WHERE nspname = 'my template'"),
      ).resolves.toHaveLength(0);
    },
  );

  it('generates a migration that names no schema', async () => {
    await expect(typeorm('migration:generate', join(folder, 'Shop'))).resolves.toMatchObject({ code: 0 });
    const [file] = readdirSync(folder);
    const text = readFileSync(join(folder, file), 'utf8');
    expect(text).toContain('CREATE TYPE "customer_kind_enum"');
    expect(text.replace('not the schema: "my template"."kind"', '')).not.toContain('my template');
    expect(text).not.toContain(new URL(database.url).pathname.slice(1));
  });

  it('shows what the template has not seen', async () => {
    const { output, code } = await typeorm('migration:show');
    expect([output, code]).toEqual([expect.stringMatching(/\[ \] Shop\d{13}/), 0]);
  });

  it('its migration builds the template, tenants work, and a second one has nothing to do', async () => {
    const { app, create } = await startShop();
    const tenant = await create({ slug: 'acme' });
    await app.get(TenantContext).run(tenant, async () => {
      const { manager } = app.get(TenantConnection);
      const customer = await manager.save(Customer, { name: 'Ann' });
      const sale = await manager.save(Sale, { customer, total: '3' });
      await expect(manager.findOneByOrFail(Sale, { id: sale.id })).resolves.toMatchObject({
        doubled: '6',
        states: ['open'],
      });
    });
    await app.close();
    await expect(typeorm('migration:show')).resolves.toMatchObject({
      output: expect.stringMatching(/\[X\] Shop\d{13}/),
    });
    await expect(typeorm('migration:generate', join(folder, 'Again'))).resolves.toMatchObject({
      output: expect.stringContaining('No changes in database schema were found'),
      code: 1,
    });
  });
});
