import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { inRemedy, type SqlExecutor } from '../../common/sql';
import { ADMIN_DATA_SOURCE, TENANT_DATA_SOURCE } from '../../connection/typeorm/tenant-data-source';
import { TenantContext } from '../../context/tenant-context';
import { OWN_NAME } from '../../registry/schema-name';
import { roleOfSchemaSql } from '../../registry/tenant-role';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { findSharedSchemaProblems, type SharedSchemaProblem } from '../shared-schemas';

/** A problem with the roles, with its remedy. */
export interface RoleProblem {
  /** Stable. */
  readonly code:
    | 'LOGIN_IS_SUPERUSER'
    | 'LOGIN_CREATES_ROLES'
    | 'LOGIN_INHERITS'
    | 'LOGIN_IS_ADMIN'
    | 'OTHER_DATABASE'
    | 'ADMIN_CANNOT_CREATE_ROLES'
    | 'SCHEMA_NOT_CLOSED'
    | 'SHARED_SCHEMA_CLOSED'
    | SharedSchemaProblem['code'];
  readonly message: string;
}

interface Login {
  readonly name: string;
  readonly isSuperuser: boolean;
  readonly createsRoles: boolean;
  readonly inherits: boolean;
  readonly database: string;
}

interface Admin {
  readonly name: string;
  readonly createsRoles: boolean;
  readonly database: string;
  readonly isReachable: boolean;
}

interface OpenSchema {
  readonly name: string;
  readonly isOwned: boolean;
  readonly isPublic: boolean;
}

interface SharedSchema {
  readonly name: string;
  readonly isUsable: boolean;
}

/** Enough to see what is wrong. */
const MAX_NAMED = 5;

/**
 * Checks in PostgreSQL what the separation by roles depends on. The start fails when it finds a problem; the
 * application may call it too.
 */
@Injectable()
export class RoleChecks {
  constructor(
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly tenants: DataSource,
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly admin: DataSource,
    private readonly context: TenantContext,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * Everything that would let a tenant reach another one, or keep it from its own schema. Empty when the roles are
   * safe. Meant for `roles: true`.
   */
  find(): Promise<RoleProblem[]> {
    return this.context.runAsSystem(() => findRoleProblems(this.tenants, this.admin, this.options));
  }
}

/** Like `RoleChecks.find()`, for callers with connections of both roles but without an application. */
export async function findRoleProblems(
  asLogin: SqlExecutor,
  asAdmin: SqlExecutor,
  {
    templateSchema,
    registrySchema,
    sharedSchemas,
    sharedMigrations,
  }: Pick<ProvisioningOptions, 'templateSchema' | 'registrySchema' | 'sharedSchemas' | 'sharedMigrations'>,
): Promise<RoleProblem[]> {
  const login = await readLogin(asLogin);
  const admin = await readAdmin(asAdmin, login.name);
  const problems = [...loginProblems(login), ...adminProblems(admin, login)];
  // With these problems all schemas are open, so further findings would say nothing new.
  if (problems.length > 0) return problems;
  return [
    ...openProblems(await readOpen(asAdmin, login.name, [templateSchema, registrySchema]), login),
    ...sharedProblems(await readShared(asAdmin, sharedSchemas)),
    ...(await findSharedSchemaProblems(
      asAdmin,
      { templateSchema, sharedSchemas, sharedMigrations },
      login.name,
    )),
  ];
}

async function readLogin(executor: SqlExecutor): Promise<Login> {
  const [login] = (await executor.query(
    `SELECT rolname AS name, rolsuper AS "isSuperuser", rolcreaterole AS "createsRoles", rolinherit AS inherits,
            pg_catalog.current_database() AS database
     FROM pg_catalog.pg_roles WHERE rolname = session_user`,
  )) as Login[];
  return login;
}

async function readAdmin(executor: SqlExecutor, loginRole: string): Promise<Admin> {
  const [admin] = (await executor.query(
    `SELECT rolname AS name, rolsuper OR rolcreaterole AS "createsRoles", pg_catalog.current_database() AS database,
            coalesce((SELECT pg_catalog.pg_has_role(l.oid, me.oid, 'MEMBER')
                      FROM pg_catalog.pg_roles l WHERE l.rolname = $1), false) AS "isReachable"
     FROM pg_catalog.pg_roles me WHERE rolname = current_user`,
    [loginRole],
  )) as Admin[];
  return admin;
}

/** Schemas of tenants, the template and the registry that the login role itself may use, by whatever right. */
async function readOpen(
  executor: SqlExecutor,
  loginRole: string,
  others: readonly string[],
): Promise<OpenSchema[]> {
  return (await executor.query(
    `SELECT n.nspname AS name, pg_catalog.pg_get_userbyid(n.nspowner) = $1 AS "isOwned",
            pg_catalog.has_schema_privilege('public', n.oid, 'USAGE') AS "isPublic"
     FROM pg_catalog.pg_namespace n
     WHERE (n.nspname = ANY ($2::name[]) OR n.nspname ~ '${OWN_NAME}'
            OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = ${roleOfSchemaSql('n.nspname')}))
       AND pg_catalog.has_schema_privilege($1, n.oid, 'USAGE')
     ORDER BY 1 LIMIT ${MAX_NAMED}`,
    [loginRole, others],
  )) as OpenSchema[];
}

async function readShared(executor: SqlExecutor, names: readonly string[]): Promise<SharedSchema[]> {
  return (await executor.query(
    `SELECT nspname AS name, pg_catalog.has_schema_privilege('public', oid, 'USAGE') AS "isUsable"
     FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1::name[]) ORDER BY 1`,
    [names],
  )) as SharedSchema[];
}

function loginProblems({ name, isSuperuser, createsRoles, inherits }: Login): RoleProblem[] {
  const who = `database.url logs in as "${name}"`;
  const problems: RoleProblem[] = [];
  if (isSuperuser) {
    const message = `${who}, a superuser, to whom PostgreSQL refuses nothing. Make another: CREATE ROLE app LOGIN NOINHERIT PASSWORD '…'.`;
    problems.push({ code: 'LOGIN_IS_SUPERUSER', message });
  } else if (createsRoles) {
    const message = `${who}, which may make and grant roles, so also those of tenants. Run: ALTER ROLE ${inRemedy(name)} NOCREATEROLE.`;
    problems.push({ code: 'LOGIN_CREATES_ROLES', message });
  }
  if (inherits) {
    const message = `${who}, which inherits: it would have the rights of all tenants at once. Run: ALTER ROLE ${inRemedy(name)} NOINHERIT.`;
    problems.push({ code: 'LOGIN_INHERITS', message });
  }
  return problems;
}

function adminProblems({ name, createsRoles, database, isReachable }: Admin, login: Login): RoleProblem[] {
  const who = `database.adminUrl logs in as "${name}"`;
  const problems: RoleProblem[] = [];
  if (name === login.name || (isReachable && !login.isSuperuser)) {
    const why =
      name === login.name ? 'as database.url does' : `which "${login.name}" of database.url may become`;
    const message = `${who}, ${why}. Requests must come by another role than the one that owns the schemas.`;
    problems.push({ code: 'LOGIN_IS_ADMIN', message });
  }
  if (database !== login.database) {
    const message = `database.adminUrl leads to the database "${database}", and database.url to "${login.database}".`;
    problems.push({ code: 'OTHER_DATABASE', message });
  }
  if (!createsRoles) {
    const message = `${who}, which may not make the roles of tenants. Run: ALTER ROLE ${inRemedy(name)} CREATEROLE.`;
    problems.push({ code: 'ADMIN_CANNOT_CREATE_ROLES', message });
  }
  return problems;
}

function openProblems(schemas: readonly OpenSchema[], login: Login): RoleProblem[] {
  return schemas.map(({ name, isOwned, isPublic }) => {
    const remedy = isOwned
      ? `It owns it: ALTER SCHEMA ${inRemedy(name)} OWNER TO <the role of database.adminUrl>, and so for all in it.`
      : `Run: REVOKE ALL ON SCHEMA ${inRemedy(name)} FROM ${isPublic ? 'PUBLIC' : inRemedy(login.name)}.`;
    const message = `"${login.name}" of database.url may use the schema "${name}" without being a tenant. ${remedy}`;
    return { code: 'SCHEMA_NOT_CLOSED', message };
  });
}

function sharedProblems(schemas: readonly SharedSchema[]): RoleProblem[] {
  return schemas
    .filter(({ isUsable }) => !isUsable)
    .map(({ name }) => ({
      code: 'SHARED_SCHEMA_CLOSED',
      message: `sharedSchemas names "${name}", which tenants may not use. Run: GRANT USAGE ON SCHEMA ${inRemedy(name)} TO PUBLIC, and GRANT SELECT on tables that they are to read.`,
    }));
}
