import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { listed } from '../common/listed';
import { inRemedy, type SqlExecutor } from '../common/sql';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { SystemTransactions } from '../connection/typeorm/system-transactions';

/** A danger in a schema that is on every tenant's search path. */
export interface SharedSchemaProblem {
  readonly code: 'SHARED_SCHEMA_SHADOWED' | 'SHARED_SCHEMA_WRITABLE';
  readonly message: string;
}

interface SharedSchema {
  readonly name: string;
  readonly loginRole: string;
  readonly isWritable: boolean;
  readonly isWritableByAll: boolean;
  /** Names of relations that exist in the template, too. */
  readonly shadowed: readonly string[];
}

/** Enough to see what is wrong. */
const MAX_NAMED = 5;

/**
 * Checks the `sharedSchemas` when the application starts. They are on the search path behind each tenant's own schema,
 * so PostgreSQL looks there for what the tenant's lacks.
 */
@Injectable()
export class SharedSchemas implements OnApplicationBootstrap {
  readonly #logger = new Logger('Tenancy');

  constructor(
    private readonly transactions: SystemTransactions,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * Runs after the template's migrations. With roles, `RoleChecks` refuses the start instead, and checks the role of
   * requests.
   */
  async onApplicationBootstrap(): Promise<void> {
    const { leaveTemplate, roles, sharedSchemas } = this.options;
    if (leaveTemplate || roles || sharedSchemas.length === 0) return;
    const problems = await this.transactions.run((manager) =>
      findSharedSchemaProblems(manager, this.options),
    );
    for (const { message } of problems) this.#logger.warn(message);
  }
}

/** @param loginRole of the tenants' connections. Default: the executor's own */
export async function findSharedSchemaProblems(
  executor: SqlExecutor,
  {
    templateSchema,
    sharedSchemas,
    sharedMigrations,
  }: Pick<ProvisioningOptions, 'templateSchema' | 'sharedSchemas' | 'sharedMigrations'>,
  loginRole?: string,
): Promise<SharedSchemaProblem[]> {
  const schemas = (await executor.query(
    `SELECT s.nspname AS name, r.rolname AS "loginRole",
            pg_catalog.has_schema_privilege(r.oid, s.oid, 'CREATE') AS "isWritable",
            pg_catalog.has_schema_privilege('public', s.oid, 'CREATE') AS "isWritableByAll",
            ARRAY(SELECT c.relname::text FROM pg_catalog.pg_class c
                  JOIN pg_catalog.pg_class t ON t.relname = c.relname AND t.relkind = ANY ('{r,p,v,m,f,S}')
                  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace AND n.nspname = $2
                  WHERE c.relnamespace = s.oid AND c.relkind = ANY ('{r,p,v,m,f,S}') ORDER BY 1) AS shadowed
     FROM pg_catalog.pg_namespace s
     JOIN pg_catalog.pg_roles r ON r.rolname = coalesce($3, current_user)
     WHERE s.nspname = ANY ($1::name[]) ORDER BY 1`,
    [sharedSchemas, templateSchema, loginRole ?? null],
  )) as SharedSchema[];
  // The role that runs the migrations of a schema must be able to make objects in it. Without roles that is the login
  // role.
  const isMigratedByLogin = ({ name }: SharedSchema) =>
    loginRole === undefined && Object.hasOwn(sharedMigrations, name);
  return schemas.flatMap((schema) => [
    ...shadowProblems(schema),
    ...(isMigratedByLogin(schema) ? [] : writeProblems(schema)),
  ]);
}

function shadowProblems({ name, shadowed }: SharedSchema): SharedSchemaProblem[] {
  if (shadowed.length === 0) return [];
  const message =
    `The shared schema "${name}" has ${listed(shadowed, MAX_NAMED)}, as the template does: a statement for a tenant that lacks its own ` +
    'would read and write there. Rename or drop them there, or take the schema out of sharedSchemas.';
  return [{ code: 'SHARED_SCHEMA_SHADOWED', message }];
}

function writeProblems({
  name,
  loginRole,
  isWritable,
  isWritableByAll,
}: SharedSchema): SharedSchemaProblem[] {
  if (!isWritable && !isWritableByAll) return [];
  const message =
    `"${loginRole}" of database.url may CREATE in the shared schema "${name}": what it makes there is every tenant's. ` +
    `Run: REVOKE CREATE ON SCHEMA ${inRemedy(name)} FROM ${isWritableByAll ? 'PUBLIC' : inRemedy(loginRole)}; an owner or a superuser has ` +
    'the right all the same, so let another role own the schema.';
  return [{ code: 'SHARED_SCHEMA_WRITABLE', message }];
}
