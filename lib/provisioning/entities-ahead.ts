import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityMetadata } from 'typeorm';
import { listed } from '../common/listed';
import { MAX_IDENTIFIER_BYTES } from '../common/sql';
import { startWith } from '../common/start.errors';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';

/** Enough to see that a migration was forgotten. */
const MAX_NAMED = 10;

interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
}

/** Warns at start of entities without a migration: otherwise one learns of them only when a statement fails. */
@Injectable()
export class EntitiesAhead implements OnApplicationBootstrap {
  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /** After the template's migrations. */
  async onApplicationBootstrap(): Promise<void> {
    if (this.options.leaveTemplate) return;
    const missing = await startWith('The look at the template', () => this.find());
    if (missing.length === 0) return;
    new Logger('Tenancy').warn(
      `Entities have what the migrations do not make: ${listed(missing, MAX_NAMED)}. Statements that name it will fail in every tenant. ` +
        'Write the migration that is missing: npx typeorm migration:generate (docs/template.md). An entity whose table is made ' +
        'elsewhere says @Entity({ synchronize: false }), and is not looked for.',
    );
  }

  /**
   * `the table "invoice" (Invoice)`, `the column "orders"."price" (Order)`. One question, however many entities there
   * are.
   */
  async find(): Promise<string[]> {
    const entities = this.dataSource.entityMetadatas.filter(({ synchronize }) => synchronize);
    if (entities.length === 0) return [];
    const names = [...new Set(entities.map(({ tableName }) => tableName))];
    const schemas = [this.options.templateSchema, ...this.options.sharedSchemas];
    const relations = await this.context.runAsSystem(() =>
      this.dataSource.query<Relation[]>(RELATIONS, [schemas, names]),
    );
    // Entities that inherit have one table, and are told of under the name of the first.
    const missing = new Map<string, string>();
    for (const entity of entities)
      for (const what of missingOf(entity, relations))
        if (!missing.has(what)) missing.set(what, `${what} (${entity.name})`);
    return [...missing.values()];
  }
}

/** In the order in which the path of a tenant finds them. */
const RELATIONS = `
  SELECT n.nspname::text AS schema, c.relname::text AS name,
         ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::name[]) AND c.relname = ANY ($2::name[]) AND c.relkind = ANY ('{r,p,v,m,f}')
  ORDER BY pg_catalog.array_position($1::text[], n.nspname::text)`;

function missingOf(entity: EntityMetadata, relations: readonly Relation[]): string[] {
  const { tableName, schema } = entity;
  const relation = relations.find(
    (each) => each.name === asKept(tableName) && (schema === undefined || each.schema === schema),
  );
  if (!relation) return [`the table "${tableName}"`];
  return entity.columns
    .filter(
      ({ isVirtualProperty, databaseName }) =>
        !isVirtualProperty && !relation.columns.includes(asKept(databaseName)),
    )
    .map(({ databaseName }) => `the column "${tableName}"."${databaseName}"`);
}

/** PostgreSQL cuts names that are too long wherever they come from, between two characters. */
function asKept(name: string): string {
  return new TextDecoder().decode(Buffer.from(name).subarray(0, MAX_IDENTIFIER_BYTES), { stream: true });
}
