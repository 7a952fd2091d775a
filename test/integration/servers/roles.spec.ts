import {
  RoleChecks,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
  TenantMover,
  TenantProvisioner,
  TenantPurge,
  TenantStore,
  type Tenant,
} from '../../../lib';
import { createRolesDatabase, type RolesDatabase } from '../../support/two-roles';
import type { TestApp } from '../../support/test-app';
import { REFUSED, startRolesAppOn } from '../roles/app';

let home: RolesDatabase;
let eu: RolesDatabase;
const apps: TestApp[] = [];

beforeEach(async () => {
  [home, eu] = [await createRolesDatabase(), await createRolesDatabase()];
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  for (const database of [home, eu]) await database.drop();
});

async function start(url = eu.loginUrl): Promise<TestApp> {
  const servers = { eu: { url, adminUrl: eu.adminUrl, directUrl: eu.loginUrl } };
  const app = await startRolesAppOn(home, { servers, sweeper: { intervalMs: 0 } });
  apps.push(app);
  return app;
}
const create = ({ app }: TestApp, slug: string): Promise<Tenant> =>
  app.get(TenantProvisioner).create({ slug }, { place: { server: 'eu' } });
const as = <Row>({ app }: TestApp, tenant: Tenant, sql: string): Promise<Row[]> =>
  app.get(TenantContext).run(tenant, () => app.get(TenantConnection).query<Row[]>(sql));

/** Roles named like tenants', that a login role may become. */
async function rolesOf({ login, query }: RolesDatabase): Promise<string[]> {
  const found = await query<{ name: string }>(
    `SELECT m.roleid::regrole::text AS name FROM pg_auth_members m WHERE m.member = $1::regrole ORDER BY 1`,
    [login],
  );
  return found.map(({ name }) => name);
}

it('makes the role of a tenant on its server, keeps the tenant to it, and drops it with the tenant', async () => {
  const app = await start();
  const [acme, globex] = [await create(app, 'acme'), await create(app, 'globex')];
  expect(await rolesOf(eu)).toEqual([acme.schemaName, globex.schemaName].sort());
  expect(await rolesOf(home)).toEqual([]);
  expect(await as(app, acme, 'SELECT current_user AS role, session_user AS login')).toEqual([
    { role: acme.schemaName, login: eu.login },
  ]);
  await as(app, acme, `INSERT INTO note (text) VALUES ('ours')`);
  await expect(as(app, globex, `SELECT * FROM ${acme.schemaName}.note`)).rejects.toEqual(REFUSED);
  await expect(as(app, globex, 'SELECT * FROM tenancy.spares')).rejects.toEqual(REFUSED);
  await app.app.get(TenantLifecycle).delete('acme');
  await app.app.get(TenantPurge).purge('acme');
  expect(await rolesOf(eu)).toEqual([globex.schemaName]);
  expect(await eu.query('SELECT FROM pg_roles WHERE rolname = $1', [acme.schemaName])).toEqual([]);
});

it('makes no template on a server whose roles would let a tenant out, and serves all others', async () => {
  await eu.query(`ALTER ROLE ${eu.login} INHERIT`);
  const app = await start();
  const warning = new RegExp(`"eu"[\\s\\S]*ALTER ROLE "${eu.login}" NOINHERIT`);
  expect(app.log.warnings).toContainEqual(expect.stringMatching(warning));
  await expect(create(app, 'acme')).rejects.toMatchObject({
    code: 'ROLES_NOT_SAFE',
    problems: [{ code: 'LOGIN_INHERITS' }],
  });
  expect(await eu.query(`SELECT FROM pg_namespace WHERE nspname = 'template' OR nspname ~ '^t_'`)).toEqual(
    [],
  );
  expect(await app.app.get<TenantStore>(TenantStore).find({ by: 'slug', value: 'acme' })).toBeUndefined();
  const globex = await app.create({ slug: 'globex' });
  await expect(as(app, globex, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  await eu.query(`ALTER ROLE ${eu.login} NOINHERIT`);
  await expect(create(app, 'acme')).resolves.toMatchObject({ status: 'active' });
});

it('checks the roles of the server that it is told to, in code', async () => {
  const app = await start();
  const find = (server?: string) =>
    app.app.get(TenantContext).runAsSystem(() => app.app.get(RoleChecks).find(), server);
  expect([await find(), await find('eu')]).toEqual([[], []]);
  await eu.query(`ALTER ROLE ${eu.login} CREATEROLE`);
  expect(await find()).toEqual([]);
  expect(await find('eu')).toMatchObject([{ code: 'LOGIN_CREATES_ROLES' }]);
});

it('says whose role it is when two owners of one PostgreSQL need the same, and goes on once it may use it', async () => {
  const [{ version }] = await eu.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  const app = await start();
  const acme = await app.create({ slug: 'acme' });
  await as(app, acme, `INSERT INTO note (text) VALUES ('kept')`);
  const move = () => app.app.get(TenantMover).move('acme', { server: 'eu' });
  // Until 16, whoever may make roles may use all.
  if (version >= 160000) {
    await expect(move()).rejects.toMatchObject({
      message: expect.stringContaining(
        `As ${home.admin}, run: GRANT "${acme.schemaName}" TO the role of adminUrl WITH ADMIN OPTION.`,
      ),
    });
    expect(await as(app, acme, 'SELECT text FROM note')).toEqual([{ text: 'kept' }]);
    await home.query(`GRANT ${acme.schemaName} TO ${eu.admin} WITH ADMIN OPTION`);
  }
  await expect(move()).resolves.toMatchObject({ state: 'done' });
  expect(await as(app, acme, 'SELECT current_user AS role, session_user AS login, text FROM note')).toEqual([
    { role: acme.schemaName, login: eu.login, text: 'kept' },
  ]);
  await eu.query(`DROP OWNED BY ${acme.schemaName} CASCADE`);
  await home.query(`DROP OWNED BY ${acme.schemaName} CASCADE`);
});
