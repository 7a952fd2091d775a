import type { SqlExecutor } from '../common/sql';
import { type CatalogSchema, inSchema, rows } from './catalog';
import { withoutOwnName } from './own-name';
import { structureFingerprint } from './fingerprint';
import { SchemaMentions } from './mentions';
import { readObjects } from './objects';
import { type ObjectSet, readObjectSet } from './outside-dependencies';
import type { SchemaSource } from './read/source';
import { readSteps } from './read-steps';
import { type Obstacle, SchemaNotCloneableError } from './schema.errors';
import { orderSteps, Phase, type Step, stepWithoutOwnName } from './clone-order';
import { readStructure } from './structure';
import { NO_PRINTS, type Prints } from './prints';
import { type HashQuery, hashQueryFor, hashStructures, readHashQuery } from './structure-hashes';
import { leaningOnThePath } from './bare-path';
import { findUnknownObjects } from './unknown';
import { findUnsupported } from './unsupported';

/** A schema as the DDL that makes another one like it. */
export interface Blueprint {
  /** The schema that it was compiled from. */
  readonly schemaName: string;
  /** The fingerprint of that schema's structure: see `fingerprintSchema`. */
  readonly fingerprint: string;
  /**
   * A hash of the same structure, by which this server sees faster that a clone is equal, and the query for it: see
   * `hashStructures`.
   */
  readonly hash: string | undefined;
  readonly hashQuery: HashQuery;
  /** What that schema consisted of, so that a clone need not be read to see that neither depends on the other. */
  readonly objects: ObjectSet;
  /** How the clones may print differently without a difference in meaning. */
  readonly prints: Prints;
  /** In an order that works, each without a final semicolon. `OWN_SCHEMA` stands in the place of the clone's name. */
  readonly statements: readonly string[];
  /** How many statements run before rows are copied. The tables exist by then, but no foreign key, index or trigger. */
  readonly rowsAt: number;
  /** Schemas behind the clone's own on the search path while it is made, because functions in them may depend on it. */
  readonly sharedSchemas?: readonly string[];
  /** What the schema has and no clone gets, because this library does not know it: see `findUnknownObjects`. */
  readonly unknown: readonly string[];
  /** How many statements, from `rowsAt` on, copy rows of the schema that it was compiled from. Default 0. */
  readonly copies?: number;
}

export interface CompileOptions {
  /**
   * Tables that may have rows, which the caller copies when it replays the blueprint; `all`: any table may. Default
   * none. The sequences of these tables get the positions that they have when a clone is made, as the rows are copied
   * then, too.
   */
  readonly filled?: readonly string[] | 'all';
  /** Schemas that are on every tenant's search path, behind its own. Default none. */
  readonly sharedSchemas?: readonly string[];
}

/**
 * The blueprint of a schema. Rows are left out, except those of TypeORM's `typeorm_metadata`.
 *
 * Call it in a transaction, and keep others from changing the schema meanwhile: what PostgreSQL prints does not follow
 * the transaction's snapshot. The session's parameters are restored at the end.
 *
 * @throws SchemaNotCloneableError naming every object that a clone would lack or get wrong
 * @throws SchemaNotFoundError when the schema does not exist, or the current user may not use it
 * @throws TransactionRequiredError when no transaction is open
 */
export function compileBlueprint(
  executor: SqlExecutor,
  schemaName: string,
  { filled = [], sharedSchemas = [] }: CompileOptions = {},
): Promise<Blueprint> {
  const compile = async (schema: CatalogSchema, reader: SqlExecutor): Promise<Blueprint> => {
    refuse(schema, await findUnsupported(reader, schema));
    const source = { executor: reader, schema, objects: await readObjects(reader, schema) };
    const { steps: printed, obstacles } = await readSteps(source, filled);
    const steps = printed.map((step) => stepWithoutOwnName(step, schemaName));
    refuse(schema, [...obstacles, ...(await findMentions(source, steps))]);
    const structure = await readStructure(reader, schema);
    const ordered = orderSteps(schemaName, steps, source.objects);
    const hashQuery = hashQueryFor(await readHashQuery(executor), structure);
    const hashes = await hashStructures(executor, hashQuery, [schemaName]);
    const unknown = await findUnknownObjects(reader, schema);
    const beforeRows = ordered.slice(0, ordered.findLastIndex(({ phase }) => phase <= Phase.Rows) + 1);
    return {
      schemaName,
      fingerprint: structureFingerprint(structure),
      hash: hashes.get(schemaName),
      hashQuery,
      objects: await readObjectSet(executor, schema.oid, source.objects.keys()),
      prints: NO_PRINTS,
      sharedSchemas,
      statements: ordered.flatMap(({ statements }) => statements),
      unknown,
      rowsAt: beforeRows.flatMap(({ statements }) => statements).length,
    };
  };
  return inSchema(executor, schemaName, compile, sharedSchemas).catch((error: unknown) => {
    throw leaningOnThePath(schemaName, error) ?? error;
  });
}

function refuse({ name }: CatalogSchema, obstacles: readonly Obstacle[]): void {
  if (obstacles.length > 0) throw new SchemaNotCloneableError(name, obstacles);
}

/** Comments may name the schema, because PostgreSQL does not run them. */
async function findMentions(
  { executor, schema, objects }: SchemaSource,
  steps: readonly Step[],
): Promise<Obstacle[]> {
  const names = await rows<{ name: string }>(
    executor,
    `SELECT relname AS name FROM pg_class WHERE oid = ANY ($1::oid[])
     UNION SELECT typname FROM pg_type WHERE oid = ANY ($2::oid[])
     UNION SELECT proname FROM pg_proc WHERE oid = ANY ($3::oid[])
     UNION SELECT collname FROM pg_collation WHERE oid = ANY ($4::oid[])
     UNION SELECT cfgname FROM pg_ts_config WHERE oid = ANY ($5::oid[])
     UNION SELECT dictname FROM pg_ts_dict WHERE oid = ANY ($6::oid[])`,
    (['pg_class', 'pg_type', 'pg_proc', 'pg_collation', 'pg_ts_config', 'pg_ts_dict'] as const).map(
      (catalog) => objects.oidsOf(catalog),
    ),
  );
  const mentions = new SchemaMentions(schema.name, new Set(names.map(({ name }) => name)));
  return steps
    .filter(({ phase, readsSource }) => phase !== Phase.Comment && !readsSource)
    .flatMap(({ label, statements }) => {
      // A function's label has its argument types, and one of these may be a row type whose name PostgreSQL also has
      // and so qualifies.
      const isKnownByIt = withoutOwnName(label, schema.name) !== label;
      const mention = isKnownByIt
        ? label
        : statements.map((statement) => mentions.in(statement)).find((found) => found !== undefined);
      if (mention === undefined) return [];
      return [
        {
          object: label,
          remedy:
            `it names the schema (${mention.slice(0, 80)}), so every clone would use this schema instead of its own. ` +
            'Leave the schema’s name out: the search path finds the tenant’s own objects. If it is an alias or a word that only ' +
            'looks like the schema’s name, rename it, or give the template another name (templateSchema).',
        },
      ];
    });
}
