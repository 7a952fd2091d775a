import { randomBytes } from 'node:crypto';
import { RoleChecks, TenancyModule } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { codeBlocks } from '../support/readme';
import { startTestApp } from '../support/test-app';

describe('docs/roles.md', () => {
  let database: TestDatabase;
  const names: string[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await database.drop();
    // What they had rights on is gone.
    const server = await createTestDatabase();
    const tenants = await server.query<{ name: string }>(
      'SELECT roleid::regrole::text AS name FROM pg_auth_members WHERE member::regrole::text = ANY ($1)',
      [names],
    );
    await server.query(`DROP ROLE ${[...tenants.map(({ name }) => name), ...names].join(', ')}`);
    await server.drop();
  });

  it('makes two roles with which an application starts, finds no fault with them, and serves', async () => {
    const block = (test: string) => codeBlocks('docs/roles.md').find((each) => each.test === test)!.text;
    const { hostname, port, pathname } = new URL(database.url);
    const [suffix, password] = [randomBytes(6).toString('hex'), randomBytes(12).toString('hex')];
    const here = (text: string) =>
      text
        .replaceAll(/shop_(owner|app)/g, (name) => `${name}_${suffix}`)
        .replaceAll('DATABASE shop', `DATABASE ${pathname.slice(1)}`)
        .replaceAll('@db/shop', `@${hostname}:${port}${pathname}`)
        .replaceAll('…@', `${password}@`)
        .replaceAll("'…'", `'${password}'`);

    await database.query(here(block('sql')));
    names.push(`shop_owner_${suffix}`, `shop_app_${suffix}`);
    const options = here(block('options'));
    const urlOf = (name: string) => new RegExp(` ${name}: '([^']+)'`).exec(options)![1];
    const urls = { url: urlOf('url'), adminUrl: urlOf('adminUrl'), connectAttempts: 1 };
    const running = await startTestApp({
      imports: [TenancyModule.forRoot(notesOptions(database, { roles: true, database: urls }))],
    });
    await running.create({ slug: 'acme' });
    await expect(running.app.get(RoleChecks).find()).resolves.toEqual([]);
    await running.close();
  });
});
