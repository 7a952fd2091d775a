import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Client } from 'pg';
import {
  TenancyModule,
  TenantConnection,
  TenantContext,
  TenantExport,
  TenantImport,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
  type Tenant,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { pooledServerUrl } from '../support/system/pgbouncer';
import { startPostgres15, type TestServer } from '../support/system/postgres-15';
import { startTestApp, type TestApp } from '../support/test-app';

/** An export names the owner, so that of both servers is called the same. */
async function sameRoleOn({ url }: TestServer, poolUrl: string): Promise<string> {
  const { username, password } = new URL(poolUrl);
  const own = new URL(url);
  if (username !== own.username) {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(
      `CREATE ROLE ${client.escapeIdentifier(decodeURIComponent(username))} LOGIN SUPERUSER
       PASSWORD ${client.escapeLiteral(decodeURIComponent(password))}`,
    );
    await client.end();
    own.username = username;
    own.password = password;
  }
  return own.href;
}

/** The registry's server is behind a pooler, and of the newest version or of the oldest; the other one is reached directly. */
describe('A further server of PostgreSQL 15', () => {
  let home: TestDatabase;
  let server: TestServer;
  let app: TestApp;

  beforeAll(async () => {
    [home, server] = [await createTestDatabase(), await startPostgres15()];
    const database = {
      url: home.poolUrl,
      directUrl: home.urlOn(pooledServerUrl()),
      connectAttempts: 1,
    };
    app = await startTestApp({
      imports: [
        TenancyModule.forRoot(
          notesOptions(home, {
            database,
            servers: { eu: { url: await sameRoleOn(server, home.poolUrl), poolSize: 2 } },
          }),
        ),
      ],
    });
  });
  afterAll(async () => {
    await app?.close();
    await server?.stop();
    await home?.drop();
  });

  const create = (slug: string, place: string): Promise<Tenant> =>
    app.app.get(TenantProvisioner).create({ slug }, { place: { server: place } });
  const as = <T>(tenant: Tenant, work: (connection: TenantConnection) => Promise<T>): Promise<T> =>
    app.app.get(TenantContext).run(tenant, () => work(app.app.get(TenantConnection)));
  const texts = async (tenant: Tenant) =>
    (await as(tenant, (connection) => connection.getRepository(Note).find())).map(({ text }) => text);

  it('serves its tenants beside those of the first, with the same keys, many at once', async () => {
    const tenants = [await create('acme', 'eu'), await create('globex', 'default')];
    const versions = await Promise.all(
      tenants.map((tenant) =>
        as(tenant, (connection) => connection.query<{ server_version: string }[]>('SHOW server_version')),
      ),
    );
    expect(versions[0][0].server_version).toMatch(/^15\./);
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => {
        const tenant = tenants[i % 2];
        return as(tenant, (connection) =>
          connection.transaction((manager) => manager.save(Note, { text: tenant.slug })),
        );
      }),
    );
    for (const tenant of tenants)
      expect(await texts(tenant)).toEqual(Array.from({ length: 20 }, () => tenant.slug));
  });

  it('takes what is exported from it to the first', async () => {
    const acme = await create('leaving', 'eu');
    await as(acme, (connection) => connection.getRepository(Note).save({ text: 'from 15' }));
    const file = new PassThrough();
    const bytes = buffer(file);
    await app.app.get(TenantExport).export('leaving', file);
    const imported = await app.app
      .get(TenantImport)
      .import(Readable.from([await bytes]), { slug: 'arrived', place: { server: 'default' } });
    await expect(texts(imported.tenant)).resolves.toEqual(['from 15']);
    await app.app.get(TenantLifecycle).delete('leaving');
    await expect(app.app.get(TenantPurge).purge('leaving')).resolves.toMatchObject({ server: 'eu', rows: 1 });
  });
});
