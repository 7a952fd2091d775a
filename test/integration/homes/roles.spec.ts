import { Client } from 'pg';
import {
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
  TenantStore,
  TenantSweeper,
} from '../../../lib';
import { examine } from '../../../lib/cli/doctor/examine';
import { resolveOptions } from '../../../lib/options/resolve-options';
import { CORE_MIGRATIONS } from '../../../lib/registry/registry-migrations';
import { notesOptions } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { createRolesDatabase, type RolesDatabase } from '../../support/two-roles';
import { REFUSED, startRolesAppOn } from '../roles/app';
import { databasesOf, urlOf } from './world';

let home: RolesDatabase;
let base: string;
let app: TestApp;
const url = () => ({ url: home.loginUrl, directUrl: home.loginUrl, adminUrl: home.adminUrl });
const options = () => ({
  sharedSchemas: ['extensions'],
  sweeper: { intervalMs: 0, orphanAfterMs: 0 },
  database: { ...url(), databaseTemplate: base, connectAttempts: 1 },
});
beforeAll(async () => {
  home = await createRolesDatabase();
  base = `base_${new URL(home.url).pathname.slice(1)}`;
  const shared = `CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO PUBLIC`;
  await home.query(`${shared}; CREATE EXTENSION citext SCHEMA extensions`);
  await home.query(`CREATE DATABASE ${base} TEMPLATE template0 STRATEGY file_copy`);
  await inDatabase(base, shared);
  app = await startRolesAppOn(home, options());
});
afterAll(async () => {
  await app?.close();
  for (const name of await databasesOf(home)) await home.query(`DROP DATABASE ${name} WITH (FORCE)`);
  await home.query(`ALTER DATABASE ${base} IS_TEMPLATE false`);
  await home.query(`DROP DATABASE ${base}`);
  await home.drop();
});

async function inDatabase(name: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: urlOf(home, name) });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}
const create = (slug: string): Promise<Tenant> =>
  app.app.get(TenantProvisioner).create({ slug }, { place: { isolation: 'database' } });
const as = <Row>(tenant: Tenant, sql: string): Promise<Row[]> =>
  app.app.get(TenantContext).run(tenant, () => app.app.get(TenantConnection).query<Row[]>(sql));
const nothingIsLeft = async (slug: string) => {
  expect(await app.app.get<TenantStore>(TenantStore).find({ by: 'slug', value: slug })).toBeUndefined();
  expect((await app.app.get(TenantSweeper).sweep()).problems).toEqual([]);
  expect(await home.query('SELECT FROM tenancy.databases')).toEqual([]);
};

it('says what the owner lacks, or the base, and leaves nothing of the tenant', async () => {
  const refused = (message: RegExp) =>
    expect.objectContaining({ code: 'PLACE_NOT_POSSIBLE', message: expect.stringMatching(message) });
  await expect(create('acme')).rejects.toEqual(
    refused(new RegExp(`Run: ALTER ROLE "${home.admin}" CREATEDB\\.$`)),
  );
  await home.query(`ALTER ROLE ${home.admin} CREATEDB`);
  await expect(create('acme')).rejects.toEqual(refused(/ALTER DATABASE "base_\w+" IS_TEMPLATE true/));
  await home.query(`ALTER DATABASE ${base} IS_TEMPLATE true`);
  await expect(create('acme')).rejects.toEqual(
    refused(/^The database "base_\w+".* lacks .*citext.*Make it in that database, too\.$/s),
  );
  await nothingIsLeft('acme');
  expect(await databasesOf(home)).toEqual([]);
  await inDatabase(base, 'CREATE EXTENSION citext SCHEMA extensions');
  await home.query(`ALTER DATABASE ${base} ALLOW_CONNECTIONS false`);
});

it('keeps each tenant to its own database, by its own role, with what the base has', async () => {
  const [acme, globex] = [await create('acme'), await create('globex')];
  await as(acme, `INSERT INTO note (text) VALUES ('ours')`);
  expect(
    await as(
      acme,
      `SELECT current_user AS role, current_database() AS database, text::citext = 'OURS' AS same FROM note`,
    ),
  ).toEqual([{ role: acme.schemaName, database: acme.schemaName, same: true }]);
  await expect(as(globex, 'SELECT * FROM tenancy.tenant_migrations')).rejects.toEqual(REFUSED);
  await expect(as(globex, 'CREATE TABLE mine ()')).rejects.toEqual(REFUSED);
  await home.query(`CREATE ROLE stranger_${process.pid} LOGIN PASSWORD 'x'`);
  const stranger = Object.assign(new URL(urlOf(home, acme.schemaName)), {
    username: `stranger_${process.pid}`,
    password: 'x',
  });
  const client = new Client({ connectionString: stranger.href });
  await expect(client.connect()).rejects.toMatchObject({ code: '42501' });
  await home.query(`DROP ROLE stranger_${process.pid}`);
  await app.app.get(TenantLifecycle).delete('globex');
  const purge = () => app.app.get(TenantPurge).purge('globex');
  // A session of requests is idle there.
  await expect(purge()).rejects.toMatchObject({
    code: 'PURGE_BLOCKED',
    message: expect.stringContaining('GRANT pg_signal_backend'),
  });
  await home.query(`GRANT pg_signal_backend TO ${home.admin}`);
  await purge();
  expect(await databasesOf(home)).toEqual([acme.schemaName]);
  expect(await home.query('SELECT FROM pg_roles WHERE rolname = $1', [globex.schemaName])).toEqual([]);
});

it('answers 503 while PostgreSQL has no connection left, and goes on when it has', async () => {
  const full = expect.objectContaining({ code: 'TENANCY_UNAVAILABLE', cause: expect.anything() });
  const crowded = await create('crowded');
  await home.query(`ALTER DATABASE ${crowded.schemaName} CONNECTION LIMIT 0`);
  const [acme] = await app.app.get<TenantStore>(TenantStore).findMany([{ by: 'slug', value: 'acme' }]);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) => as(i % 2 ? crowded : acme!, 'SELECT text FROM note')),
  );
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
  for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toEqual(full);
  await home.query(`ALTER DATABASE ${crowded.schemaName} CONNECTION LIMIT -1`);
  await expect(as(crowded, 'SELECT text FROM note')).resolves.toEqual([]);
  await home.query(`ALTER ROLE ${home.admin} CONNECTION LIMIT 0`);
  await expect(create('late')).rejects.toEqual(full);
  await home.query(`ALTER ROLE ${home.admin} CONNECTION LIMIT -1`);
  await nothingIsLeft('late');
  await expect(create('late')).resolves.toMatchObject({ status: 'active' });
});

it('doctor names a database of another role, and one that requests cannot enter', async () => {
  const name = (await databasesOf(home))[0];
  await home.query(`ALTER DATABASE ${name} OWNER TO CURRENT_USER`);
  await home.query(`REVOKE CONNECT ON DATABASE ${name} FROM ${home.login}`);
  const found = await examine(
    resolveOptions(notesOptions(home, { roles: true, ...options() })),
    CORE_MIGRATIONS,
  );
  expect(
    found
      .filter(({ check }) => check === 'databases')
      .map(({ severity, message }) => `${severity}: ${message}`),
  ).toEqual([
    expect.stringMatching(/^problem: of "\w+", so no purge drops them: those of \w+$/),
    expect.stringMatching(/^problem: the role of requests may not connect to those of \w+$/),
  ]);
});
