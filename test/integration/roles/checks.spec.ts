import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { TENANT_DATA_SOURCE, TenantContext, TenantLifecycle, TenantPurge } from '../../../lib';
import { examine } from '../../../lib/cli/doctor/examine';
import { RoleChecks } from '../../../lib/provisioning/roles/role-checks';
import { resolveOptions } from '../../../lib/options/resolve-options';
import { CORE_MIGRATIONS } from '../../../lib/registry/registry-migrations';
import { CreateNotes1700000000000, notesOptions } from '../../support/notes';
import { createRolesDatabase, type RolesDatabase } from '../../support/two-roles';
import { REFUSED, type RolesApp, startRolesApp, startRolesAppOn } from './app';

const QUIET = { sweeper: { intervalMs: 0 } };

describe('a start with roles: true', () => {
  let database: RolesDatabase;

  beforeEach(async () => {
    database = await createRolesDatabase();
  });
  afterEach(() => database.drop());

  /** What the start says when it fails. */
  async function refusal(changes: Parameters<typeof startRolesAppOn>[1] = {}, url?: string): Promise<Error> {
    const started = await startRolesAppOn(database, { ...QUIET, ...changes }, url).catch(
      (error: Error) => error,
    );
    if (started instanceof Error) return started;
    await started.close();
    throw new Error('It started.');
  }

  const refused = (code: string, ...words: string[]) => ({
    code: 'ROLES_NOT_SAFE',
    problems: [{ code, message: expect.stringMatching(new RegExp(words.join('.*'))) }],
  });

  it('fails when requests would log in as a superuser', async () => {
    await database.query(`ALTER ROLE ${database.login} SUPERUSER`);
    const outcome = await refusal();
    await database.query(`ALTER ROLE ${database.login} NOSUPERUSER`);
    expect(outcome).toMatchObject(
      refused('LOGIN_IS_SUPERUSER', database.login, 'CREATE ROLE app LOGIN NOINHERIT'),
    );
  });

  it('fails when the login role may make roles', async () => {
    await database.query(`ALTER ROLE ${database.login} CREATEROLE`);
    await expect(refusal()).resolves.toMatchObject(refused('LOGIN_CREATES_ROLES', 'NOCREATEROLE'));
  });

  it('fails when the login role inherits', async () => {
    await database.query(`ALTER ROLE ${database.login} INHERIT`);
    await expect(refusal()).resolves.toMatchObject(
      refused('LOGIN_INHERITS', `ALTER ROLE "${database.login}" NOINHERIT`),
    );
  });

  it('fails when the login role may become the owner', async () => {
    await database.query(`GRANT ${database.admin} TO ${database.login}`);
    await expect(refusal()).resolves.toMatchObject(refused('LOGIN_IS_ADMIN', database.admin, database.login));
    await database.query(`REVOKE ${database.admin} FROM ${database.login}`);
  });

  it('fails when both URLs log in as one role', async () => {
    const url = `${database.adminUrl}?application_name=requests`;
    await expect(refusal({}, url)).resolves.toMatchObject({
      code: 'ROLES_NOT_SAFE',
      problems: expect.arrayContaining([
        { code: 'LOGIN_IS_ADMIN', message: expect.stringContaining('as database.url does') },
      ]),
    });
  });

  it('fails when the owner may not make roles', async () => {
    await database.query(`ALTER ROLE ${database.admin} NOCREATEROLE`);
    await expect(refusal()).resolves.toMatchObject(
      refused('ADMIN_CANNOT_CREATE_ROLES', `ALTER ROLE "${database.admin}" CREATEROLE`),
    );
  });

  it('fails when the URLs lead to two databases', async () => {
    const other = await createRolesDatabase();
    const adminUrl = other.adminUrl;
    const outcome = await refusal({ database: { adminUrl } });
    const made = await other.query(`SELECT FROM pg_namespace WHERE nspname IN ('tenancy', 'template')`);
    await other.drop();
    expect(outcome).toMatchObject({
      code: 'ADMIN_URL_ELSEWHERE',
      message: expect.stringMatching(/^database\.adminUrl leads to the database ".*, and database\.url to "/),
    });
    expect(made).toEqual([]);
  });

  it('fails when a migration opens the template, and with it each clone, to everybody', async () => {
    class OpenTemplate1700000000001 implements MigrationInterface {
      async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query('GRANT USAGE ON SCHEMA template TO PUBLIC');
      }
      async down(): Promise<void> {}
    }
    const migrations = [CreateNotes1700000000000, OpenTemplate1700000000001];
    await expect(refusal({ migrations })).resolves.toMatchObject(
      refused('SCHEMA_NOT_CLOSED', 'REVOKE ALL ON SCHEMA "template" FROM PUBLIC'),
    );
  });

  it('fails when the login role owns what it must not', async () => {
    await database.query(`CREATE SCHEMA t_0123456789abcdefghij AUTHORIZATION ${database.login}`);
    await expect(refusal()).resolves.toMatchObject(
      refused('SCHEMA_NOT_CLOSED', 't_0123456789abcdefghij', 'ALTER SCHEMA', 'OWNER TO'),
    );
  });

  it('fails when tenants may not use a shared schema, or everybody may put functions into it', async () => {
    await database.query(
      `CREATE SCHEMA closed; CREATE SCHEMA writable; GRANT USAGE, CREATE ON SCHEMA writable TO PUBLIC`,
    );
    await expect(refusal({ sharedSchemas: ['closed', 'writable'] })).resolves.toMatchObject({
      problems: [
        {
          code: 'SHARED_SCHEMA_CLOSED',
          message: expect.stringContaining('GRANT USAGE ON SCHEMA "closed" TO PUBLIC'),
        },
        {
          code: 'SHARED_SCHEMA_WRITABLE',
          message: expect.stringContaining('REVOKE CREATE ON SCHEMA "writable" FROM PUBLIC'),
        },
      ],
    });
  });

  it('leaves nothing open when it fails', async () => {
    await database.query(`ALTER ROLE ${database.login} INHERIT`);
    await refusal();
    const sessions = `SELECT FROM pg_stat_activity WHERE usename IN ('${database.login}', '${database.admin}')`;
    while ((await database.query(sessions)).length > 0);
  });
});

describe('with roles: true', () => {
  let running: RolesApp;

  beforeAll(async () => {
    running = await startRolesApp({ ...QUIET, sharedSchemas: ['shared'], migrateTemplate: true });
  });
  afterAll(() => running.close());

  it('the start has nothing to say of a shared schema that only the owner’s role may write', () => {
    expect(running.log.warnings).toEqual([]);
  });

  it('tenants read shared schemas as far as everybody may', async () => {
    await running.database.query(
      `CREATE TABLE shared.currency (code text); INSERT INTO shared.currency VALUES ('EUR');
       CREATE TABLE shared.hidden (id int); GRANT SELECT ON shared.currency TO PUBLIC`,
    );
    const tenant = await running.create({ slug: 'acme' });
    await expect(running.as(tenant, 'SELECT code FROM currency')).resolves.toEqual([{ code: 'EUR' }]);
    await expect(running.as(tenant, 'SELECT * FROM hidden')).rejects.toMatchObject({
      driverError: { code: '42501' },
    });
    await expect(running.as(tenant, `INSERT INTO currency VALUES ('XXX')`)).rejects.toMatchObject({
      driverError: { code: '42501' },
    });
  });

  it('whoever asks later, and the doctor, is told what has become wrong since the start', async () => {
    const checks = running.app.get(RoleChecks);
    await expect(checks.find()).resolves.toEqual([]);
    const tenant = await running.create({ slug: 'opened' });
    await running.database.query(`GRANT USAGE ON SCHEMA ${tenant.schemaName} TO PUBLIC`);
    await expect(checks.find()).resolves.toEqual([
      { code: 'SCHEMA_NOT_CLOSED', message: expect.stringContaining(tenant.schemaName) },
    ]);
    const { loginUrl: url, adminUrl } = running.database;
    const options = resolveOptions(
      notesOptions(running.database, { roles: true, database: { url, adminUrl } }),
    );
    const findings = await examine(options, CORE_MIGRATIONS);
    expect(findings.filter(({ check }) => check === 'roles')).toEqual([
      { check: 'roles', severity: 'problem', message: expect.stringContaining(tenant.schemaName) },
    ]);
    expect(findings.find(({ check }) => check === 'registry')).toMatchObject({ severity: 'ok' });
    await running.database.query(`REVOKE USAGE ON SCHEMA ${tenant.schemaName} FROM PUBLIC`);
  });

  it('the doctor says what to take from everybody, so that code without its role neither sees nor ends others', async () => {
    const { loginUrl: url, adminUrl } = running.database;
    const options = resolveOptions(
      notesOptions(running.database, { roles: true, database: { url, adminUrl } }),
    );
    const finding = async () =>
      (await examine(options, CORE_MIGRATIONS)).find(({ check }) => check === 'other sessions') ?? {
        severity: 'none',
      };
    const [acme, globex] = [await running.create({ slug: 'sees' }), await running.create({ slug: 'seen' })];
    const withoutRole = (sql: string) =>
      running.context.run(acme, () =>
        running.tenants.transaction(async (manager) => {
          await manager.query('SET LOCAL ROLE NONE');
          return manager.query<{ query: string }[]>(sql);
        }),
      );
    const all = 'SELECT query FROM pg_catalog.pg_stat_get_activity(NULL)';
    const told = await running.context.run(globex, () =>
      running.tenants.transaction(async (manager) => {
        await manager.query(`SELECT 'secret of globex'`);
        return withoutRole(all);
      }),
    );
    expect(told.map(({ query }) => query)).toContain(`SELECT 'secret of globex'`);

    const { severity, remedy } = (await finding()) as { severity: string; remedy?: string };
    expect(severity).toBe('warning');
    // By the types alone: pg_stat_get_activity() gives thirty columns.
    expect(remedy).toContain('pg_catalog.pg_stat_get_activity(integer), ');
    await running.database.query(remedy!.replace('run as a superuser: ', ''));
    for (const sql of [
      all,
      'SELECT query FROM pg_catalog.pg_stat_activity',
      'SELECT pg_catalog.pg_stat_get_backend_activity(1)',
      'SELECT pg_catalog.pg_cancel_backend(0)',
      'SELECT pg_catalog.pg_terminate_backend(0)',
    ])
      await expect(withoutRole(sql)).rejects.toEqual(REFUSED);
    expect(await finding()).toMatchObject({ severity: 'ok' });
    // The owner's work looks at sessions, and goes on.
    await running.app.get(TenantLifecycle).delete('sees');
    await running.app.get(TenantPurge).purge('sees');
  });

  it('the doctor says how to keep comments, which have slugs in them, from tenants; the owner’s work goes on', async () => {
    const { loginUrl: url, adminUrl } = running.database;
    const options = resolveOptions(
      notesOptions(running.database, { roles: true, database: { url, adminUrl } }),
    );
    const finding = async () =>
      (await examine(options, CORE_MIGRATIONS)).find(({ check }) => check === 'comments')!;
    const [curious, customer] = [
      await running.create({ slug: 'curious' }),
      await running.create({ slug: 'customer' }),
    ];
    const comment = `SELECT pg_catalog.obj_description(oid, 'pg_namespace') AS text
      FROM pg_catalog.pg_namespace WHERE nspname = '${customer.schemaName}'`;
    expect(await running.as(curious, comment)).toEqual([{ text: expect.stringContaining('customer') }]);

    const { severity, remedy } = await finding();
    expect(severity).toBe('warning');
    await running.database.query(remedy!.replace('run as a superuser: ', ''));
    await expect(running.as(curious, comment)).rejects.toEqual(REFUSED);
    await expect(running.as(curious, 'SELECT * FROM pg_catalog.pg_description')).rejects.toEqual(REFUSED);
    expect(await finding()).toMatchObject({ severity: 'ok' });
    const lifecycle = running.app.get(TenantLifecycle);
    await lifecycle.update('customer', { slug: 'client' });
    await running.create({ slug: 'later' });
    await lifecycle.delete('client');
    await running.app.get(TenantPurge).purge('client');
    expect(running.log.warnings).toEqual([]);
  });

  it('tenants do not learn from application_name who the others are', async () => {
    const { adminUrl } = running.database;
    const url = running.database.loginUrl;
    const named = await startRolesAppOn(running.database, {
      ...QUIET,
      sharedSchemas: ['shared'],
      database: { url, adminUrl, applicationName: 'shop', tenantInApplicationName: true },
    });
    const tenant = await named.create({ slug: 'secretive' });
    const rows = await named.app
      .get(TenantContext)
      .run(tenant, () =>
        named.app
          .get<DataSource>(getDataSourceToken(TENANT_DATA_SOURCE))
          .query<{ name: string }[]>(`SELECT pg_catalog.current_setting('application_name') AS name`),
      );
    await named.close();
    expect(rows).toEqual([{ name: `${tenant.schemaName}/shop` }]);
  });
});
