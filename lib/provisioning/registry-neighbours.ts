import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { SystemTransactions } from './system-transactions';

/** Another registry of ours in the same database. */
export interface Neighbour {
  readonly schemaName: string;
  /** `undefined`: this role may not read it, or it is of a version that had no ids. */
  readonly registryId: string | undefined;
}

/** Registries of other applications in the same database: each has its own tenants, and leaves the others' alone. */
@Injectable()
export class RegistryNeighbours implements OnModuleInit {
  readonly #logger = new Logger('Tenancy');

  constructor(
    private readonly transactions: SystemTransactions,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** A registry that was made by mistake is new and empty, and without a word nobody would see why. */
  async onModuleInit(): Promise<void> {
    if (this.options.leaveTemplate) return;
    const neighbours = await this.transactions.run((manager) => this.find(manager));
    if (neighbours.length > 0) this.#logger.warn(describeNeighbours(neighbours, this.options.registrySchema));
  }

  find(executor: SqlExecutor): Promise<Neighbour[]> {
    return findNeighbours(executor, this.options.registrySchema);
  }
}

export async function findNeighbours(executor: SqlExecutor, registrySchema: string): Promise<Neighbour[]> {
  const found = (await executor.query(
    `SELECT n.nspname AS "schemaName",
            coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE')
              AND pg_catalog.has_table_privilege(i.oid, 'SELECT'), false) AS "isReadable"
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_catalog.pg_class t ON t.relnamespace = n.oid AND t.relname = 'tenants'
     LEFT JOIN pg_catalog.pg_class i ON i.relnamespace = n.oid AND i.relname = 'registry_identity'
     WHERE c.relname = 'registry_migrations' AND n.nspname <> $1 ORDER BY 1`,
    [registrySchema],
  )) as { schemaName: string; isReadable: boolean }[];
  const neighbours: Neighbour[] = [];
  for (const { schemaName, isReadable } of found) {
    const registryId = isReadable ? await registryIdIn(executor, schemaName) : undefined;
    neighbours.push({ schemaName, registryId });
  }
  return neighbours;
}

/** The id of the registry in a schema. */
export async function registryIdIn(executor: SqlExecutor, schemaName: string): Promise<string> {
  const [{ id }] = (await executor.query(
    `SELECT id FROM ${quoteIdentifier(schemaName)}.registry_identity`,
  )) as { id: string }[];
  return id;
}

export function describeNeighbours(neighbours: readonly Neighbour[], registrySchema: string): string {
  const names = neighbours.map(({ schemaName }) => `"${schemaName}"`).join(', ');
  return (
    `This database has another registry of nestjs-tenancy, in the schema ${names}; this application's is in ` +
    `"${registrySchema}". If it is another application's, all is well: each leaves the other's tenants alone. If not, ` +
    'registry.schema (TENANCY_REGISTRY_SCHEMA) is mistyped, and the tenants are in the other one.'
  );
}

/** Whether the owner of a schema is one of them, or may be: one that cannot be read is given the benefit of the doubt. */
export function isOthers(neighbours: readonly Neighbour[], owner: string | null): boolean {
  return (
    owner !== null && neighbours.some(({ registryId }) => registryId === undefined || registryId === owner)
  );
}
