import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { startWith } from '../../common/start.errors';
import { PURGED } from '../../registry/store/tenant.entity';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';

/** Another registry of ours in the same database. */
export interface Neighbour {
  readonly schemaName: string;
  /**
   * `undefined` when this role may not read it, when that registry's version had no ids or its backup was restored only in
   * part, and when something else than our table has its name.
   */
  readonly registryId: string | undefined;
}

/** Registries of other applications in the same database. Each has its own tenants, and leaves the others' alone. */
@Injectable()
export class RegistryNeighbours implements OnModuleInit {
  readonly #logger = new Logger('Tenancy');

  constructor(
    private readonly transactions: SystemTransactions,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * Warns when a new registry was made beside another one, perhaps by mistake: it is empty, and nothing would say why.
   */
  async onModuleInit(): Promise<void> {
    if (this.options.leaveTemplate) return;
    const { registrySchema } = this.options;
    const look = async (manager: SqlExecutor) => {
      const neighbours = await this.find(manager);
      if (neighbours.length > 0) this.#logger.warn(describeNeighbours(neighbours, registrySchema));
      const copies = twinsAmong(neighbours, await registryIdIn(manager, registrySchema));
      if (copies.length > 0) this.#logger.warn(describeCopies(copies));
    };
    await startWith(`The registry "${registrySchema}"`, () => this.transactions.run(look));
  }

  find(executor: SqlExecutor): Promise<Neighbour[]> {
    return findNeighbours(executor, this.options.registrySchema);
  }

  /** How another registry uses a schema, in words. `undefined` when none does, as far as this role may read them. */
  async useOf(executor: SqlExecutor, schemaName: string): Promise<string | undefined> {
    for (const neighbour of await this.find(executor)) {
      if (neighbour.schemaName === schemaName) return 'it is another registry';
      const use = await findUse(executor, neighbour.schemaName, schemaName);
      if (use !== undefined)
        return `${use} of another registry, which is in the schema "${neighbour.schemaName}"`;
    }
    return undefined;
  }
}

export async function findNeighbours(executor: SqlExecutor, registrySchema: string): Promise<Neighbour[]> {
  const found = (await executor.query(
    `SELECT n.nspname AS "schemaName",
            ${isPlain('i', { id: 'uuid' })} AS "isReadable"
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_catalog.pg_class t ON t.relnamespace = n.oid AND t.relname = 'tenants'
     LEFT JOIN pg_catalog.pg_class i ON i.relnamespace = n.oid AND i.relname = 'registry_identity'
     WHERE c.relname = 'registry_migrations' AND n.nspname <> $1 ORDER BY 1`,
    [registrySchema],
  )) as { schemaName: string; isReadable: boolean }[];
  const neighbours: Neighbour[] = [];
  for (const { schemaName, isReadable } of found) {
    const registryId = isReadable ? await findRegistryId(executor, schemaName) : undefined;
    neighbours.push({ schemaName, registryId });
  }
  return neighbours;
}

/** Versions without marks named their schemas only in their registry. */
async function findUse(
  executor: SqlExecutor,
  registrySchema: string,
  schemaName: string,
): Promise<string | undefined> {
  const registry = quoteIdentifier(registrySchema);
  if (await isReadable(executor, registrySchema, 'tenants', TENANT_COLUMNS)) {
    const [tenant] = (await executor.query(
      `SELECT slug FROM ONLY ${registry}.tenants WHERE schema_name = $1 AND status <> '${PURGED}'`,
      [schemaName],
    )) as { slug: string }[];
    if (tenant) return `it is the tenant "${tenant.slug}"`;
  }
  if (await isReadable(executor, registrySchema, 'spares', { schema_name: 'text' })) {
    const spares = (await executor.query(`SELECT FROM ONLY ${registry}.spares WHERE schema_name = $1`, [
      schemaName,
    ])) as unknown[];
    if (spares.length > 0) return 'it is a spare';
  }
  return undefined;
}

async function isReadable(
  executor: SqlExecutor,
  schemaName: string,
  table: string,
  columns: Columns,
): Promise<boolean> {
  const [found] = (await executor.query(
    `SELECT ${isPlain('c', columns)} AS "isReadable"
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2`,
    [schemaName, table],
  )) as { isReadable: boolean }[];
  return found?.isReadable ?? false;
}

/** Names of columns with PostgreSQL's own types. */
type Columns = Readonly<Record<string, 'text' | 'uuid'>>;

const TENANT_COLUMNS: Columns = { slug: 'text', schema_name: 'text', status: 'text' };

/**
 * SQL: whether this role may read columns of a table in the schema `n` without running code. Anyone who may make a
 * schema can use such names, and the functions of a view, a policy or a type would run with our rights.
 */
function isPlain(table: string, columns: Columns): string {
  const pairs = Object.entries(columns).map(
    ([name, type]) => `('${name}', 'pg_catalog.${type}'::pg_catalog.regtype)`,
  );
  return `coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(${table}.oid, 'SELECT')
    AND ${table}.relkind = 'r' AND NOT ${table}.relrowsecurity
    AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = ${table}.oid AND (a.attname, a.atttypid) IN (${pairs.join(', ')})) = ${pairs.length}, false)`;
}

/** The id of the registry in a schema. @throws Error when its row is not there */
export async function registryIdIn(executor: SqlExecutor, schemaName: string): Promise<string> {
  const id = await findRegistryId(executor, schemaName);
  if (id !== undefined) return id;
  const table = `${quoteIdentifier(schemaName)}.registry_identity`;
  throw new Error(
    `The registry has no id: ${table} has no row. Restore that row from a backup of the registry. Without a backup, make ` +
      `a new one: INSERT INTO ${table} DEFAULT VALUES. The schemas that exist are then not marked with it: "tenancy doctor" ` +
      'tells how to mark them.',
  );
}

async function findRegistryId(executor: SqlExecutor, schemaName: string): Promise<string | undefined> {
  const [row] = (await executor.query(
    `SELECT id FROM ONLY ${quoteIdentifier(schemaName)}.registry_identity`,
  )) as {
    id: string;
  }[];
  return row?.id;
}

/** Registries with the same id: one is a copy of the other, so the marks on schemas do not tell them apart. */
export function twinsAmong(neighbours: readonly Neighbour[], id: string): string[] {
  return neighbours.filter(({ registryId }) => registryId === id).map(({ schemaName }) => schemaName);
}

export function describeCopies(copies: readonly string[]): string {
  return (
    `The registry in ${copies.map((name) => `"${name}"`).join(', ')} has the same id as this one, so one of them is a copy. ` +
    "Each takes the other's tenants for its own, so no schema is dropped. Drop the copy, or give it an id of its own: " +
    newIdentity(copies[0])
  );
}

/** The statement that gives a copy an id of its own. */
export function newIdentity(schemaName: string): string {
  return `UPDATE ${quoteIdentifier(schemaName)}.registry_identity SET id = DEFAULT`;
}

export function describeNeighbours(neighbours: readonly Neighbour[], registrySchema: string): string {
  const names = neighbours.map(({ schemaName }) => `"${schemaName}"`).join(', ');
  return (
    `This database has another registry of nestjs-tenancy, in the schema ${names}; this application's is in ` +
    `"${registrySchema}". If it is another application's, all is well: each leaves the other's tenants alone. If not, ` +
    'registry.schema (TENANCY_REGISTRY_SCHEMA) is mistyped, and the tenants are in the other one.'
  );
}

/**
 * Whether the schema's owner is one of these registries, or may be: a registry that cannot be read counts as the owner.
 */
export function isOthers(neighbours: readonly Neighbour[], owner: string | null): boolean {
  return (
    owner !== null && neighbours.some(({ registryId }) => registryId === undefined || registryId === owner)
  );
}
