import {
  TenancyModule,
  TenantConnection,
  TenantContext,
  type Tenant,
  TenantMover,
  TenantProvisioner,
  type TenancyOptions,
} from '../../../lib';
import { notesOptions } from '../../support/notes';
import { startTestApp, type TestApp } from '../../support/test-app';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { createRolesDatabase, type RolesDatabase } from '../../support/two-roles';
import { REFUSED, startRolesAppOn } from '../roles/app';

const as = <Row>({ app }: TestApp, tenant: Tenant, sql: string): Promise<Row[]> =>
  app.get(TenantContext).run(tenant, () => app.get(TenantConnection).query<Row[]>(sql));
const create = ({ app }: TestApp, slug: string): Promise<Tenant> =>
  app.get(TenantProvisioner).create({ slug });
const move = ({ app }: TestApp, slug: string, server: string) =>
  app.get(TenantMover).move(slug, { server }, { verify: 'rows' });

describe('where the logins of the two servers have different names', () => {
  let home: RolesDatabase;
  let eu: RolesDatabase;
  let app: TestApp;
  beforeAll(async () => {
    [home, eu] = [await createRolesDatabase(), await createRolesDatabase()];
    const options: Partial<TenancyOptions> = {
      database: { url: home.adminUrl, connectAttempts: 1 },
      servers: { eu: { url: eu.adminUrl } },
    };
    app = await startTestApp({ imports: [TenancyModule.forRoot(notesOptions(home, options))] });
  });
  afterAll(async () => {
    await app.close();
    for (const database of [home, eu]) await database.drop();
  });

  it('moves a tenant there and back, and all that it has belongs to the login there', async () => {
    const acme = await create(app, 'acme');
    await as(
      app,
      acme,
      `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; INSERT INTO note (text) VALUES ('kept')`,
    );
    const owners = () =>
      as(
        app,
        acme,
        `SELECT DISTINCT relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = current_schema()::regnamespace
        UNION SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = current_schema()::regnamespace`,
      );
    await expect(move(app, 'acme', 'eu')).resolves.toMatchObject({ state: 'done' });
    expect(await owners()).toEqual([{ owner: eu.admin }]);
    await expect(move(app, 'acme', 'default')).resolves.toMatchObject({ state: 'done' });
    expect(await owners()).toEqual([{ owner: home.admin }]);
    expect(await as(app, acme, 'SELECT f(), text FROM note')).toEqual([{ f: 1, text: 'kept' }]);
  });

  it('leaves no row behind that a policy hides from the login', async () => {
    const hidden = await create(app, 'hidden');
    await as(app, hidden, `INSERT INTO note (text) VALUES ('hidden')`);
    await as(
      app,
      hidden,
      'ALTER TABLE note ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON note USING (false)',
    );
    await expect(move(app, 'hidden', 'eu')).resolves.toMatchObject({ progress: { rows: 1 } });
    await as(app, hidden, 'ALTER TABLE note FORCE ROW LEVEL SECURITY');
    await expect(move(app, 'hidden', 'default')).rejects.toMatchObject({
      code: 'MOVE_FAILED',
      message: expect.stringContaining('row-level security policy') as string,
    });
    await as(app, hidden, 'ALTER TABLE note NO FORCE ROW LEVEL SECURITY');
    expect(await as(app, hidden, 'SELECT text FROM note')).toEqual([{ text: 'hidden' }]);
  });

  it('says so when it may not connect to the new place, and leaves the tenant where it is', async () => {
    await create(app, 'locked-out');
    const database = new URL(eu.url).pathname.slice(1);
    await eu.query(`REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`);
    const refused = await move(app, 'locked-out', 'eu').catch((error: Error) => error);
    await eu.query(`GRANT CONNECT ON DATABASE ${database} TO PUBLIC`);
    expect(refused).toMatchObject({
      code: 'MOVE_FAILED',
      message: expect.stringContaining('permission denied for database') as string,
    });
    await expect(move(app, 'locked-out', 'eu')).resolves.toMatchObject({ state: 'done' });
  });

  it('leaves a tenant where it is when something of it belongs to another role', async () => {
    const mixed = await create(app, 'mixed');
    await home.query(`ALTER TABLE ${mixed.schemaName}.note OWNER TO ${home.login}`);
    await home.query(
      `GRANT ALL ON ${mixed.schemaName}.note TO ${home.admin}; GRANT ${home.login} TO ${home.admin}`,
    );
    await expect(move(app, 'mixed', 'eu')).rejects.toMatchObject({
      code: 'MOVE_FAILED',
      message: expect.stringContaining('table note') as string,
    });
    expect(await as(app, mixed, 'SELECT text FROM note')).toEqual([]);
  });
});

describe('where each tenant has a role of its own', () => {
  let home: RolesDatabase;
  let eu: TestDatabase;
  let app: TestApp;
  beforeAll(async () => {
    [home, eu] = [await createRolesDatabase(), await createTestDatabase()];
    const pathname = new URL(eu.url).pathname;
    await eu.query(`GRANT CREATE ON DATABASE ${pathname.slice(1)} TO ${home.admin}`);
    const there = (url: string) => Object.assign(new URL(url), { pathname }).href;
    const url = there(home.loginUrl);
    app = await startRolesAppOn(home, {
      servers: { eu: { url, directUrl: url, adminUrl: there(home.adminUrl) } },
      sweeper: { intervalMs: 0 },
    });
  });
  afterAll(async () => {
    await app.close();
    await eu.query(`DROP OWNED BY ${home.login}, ${home.admin} CASCADE`);
    for (const { role } of await eu.query<{ role: string }>(
      `SELECT m.roleid::regrole::text AS role FROM pg_auth_members m WHERE m.member = '${home.login}'::regrole`,
    ))
      await eu.query(`DROP OWNED BY ${role} CASCADE`);
    await home.drop();
    await eu.drop();
  });

  it('moves a tenant, which is kept to its own at the new place as well', async () => {
    const [acme, globex] = [await create(app, 'acme'), await create(app, 'globex')];
    await as(app, acme, `INSERT INTO note (text) VALUES ('kept')`);
    for (const slug of ['acme', 'globex'])
      await expect(move(app, slug, 'eu')).resolves.toMatchObject({ state: 'done' });
    expect(await as(app, acme, 'SELECT current_user AS role, text FROM note')).toEqual([
      { role: acme.schemaName, text: 'kept' },
    ]);
    await as(app, acme, `INSERT INTO note (text) VALUES ('there')`);
    await expect(as(app, globex, `SELECT * FROM ${acme.schemaName}.note`)).rejects.toEqual(REFUSED);
    await expect(as(app, acme, 'SELECT * FROM tenancy.spares')).rejects.toEqual(REFUSED);
    await expect(move(app, 'acme', 'default')).resolves.toMatchObject({ state: 'done' });
    expect(await as(app, acme, 'SELECT text FROM note ORDER BY id')).toEqual([
      { text: 'kept' },
      { text: 'there' },
    ]);
    await expect(as(app, acme, `SELECT * FROM moved_${globex.schemaName}.note`)).rejects.toEqual(REFUSED);
  });
});
