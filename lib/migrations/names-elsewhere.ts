import { listed } from '../common/listed';
import type { SqlExecutor } from '../common/sql';
import { type HeardStatements, mended, sharedWrites } from '../provisioning/template/migration-run';
import type { QualifiedName } from '../provisioning/template/statement-names';

/** The schema in which TypeORM 0.3 generated objects, and to which names led before there were tenants. */
const PUBLIC = 'public';

/** Finds names in statements that lead out of the schema that is migrated. */
export class NamesElsewhere {
  private constructor(
    private readonly schemas: ReadonlySet<string>,
    private readonly sharedSchemas: readonly string[],
  ) {}

  /**
   * `own` is the schema that is migrated. Statements may name shared schemas: in a foreign key, or for a function of an
   * extension.
   */
  static async read(
    executor: SqlExecutor,
    own: string,
    sharedSchemas: readonly string[],
  ): Promise<NamesElsewhere> {
    const rows = (await executor.query(
      `SELECT nspname AS name FROM pg_catalog.pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'`,
    )) as { name: string }[];
    const schemas = new Set([PUBLIC, ...rows.map(({ name }) => name)]);
    for (const name of [own, ...sharedSchemas]) schemas.delete(name);
    return new NamesElsewhere(schemas, sharedSchemas);
  }

  /** The problems, in sentences. */
  async problemsOf(executor: SqlExecutor, heard: HeardStatements): Promise<string[]> {
    const written = sharedWrites(heard, this.sharedSchemas);
    const found = heard.namesIn((name) => this.schemas.has(name));
    const sure = found.filter(({ schema }) => schema === PUBLIC);
    // For other schemas, the name before the dot may be that of an alias or a table, so only names of existing objects
    // count.
    const others = await onlyExisting(
      executor,
      found.filter(({ schema }) => schema !== PUBLIC),
    );
    const names = [...sure, ...others];
    const problems = written === undefined ? [] : [written];
    if (names.length === 0) return problems;
    return [
      ...problems,
      `It names a schema, so it would work on that one schema for every tenant. Write names without a schema: ${listed(names.map(mended))}.`,
    ];
  }
}

async function onlyExisting(
  executor: SqlExecutor,
  names: readonly QualifiedName[],
): Promise<readonly QualifiedName[]> {
  if (names.length === 0) return names;
  const rows = (await executor.query(
    `SELECT pg_catalog.concat(n.nspname, '.', o.name) AS path
     FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL (
       SELECT relname AS name FROM pg_catalog.pg_class WHERE relnamespace = n.oid AND relname = ANY ($2)
       UNION SELECT typname FROM pg_catalog.pg_type WHERE typnamespace = n.oid AND typname = ANY ($2)
       UNION SELECT proname FROM pg_catalog.pg_proc WHERE pronamespace = n.oid AND proname = ANY ($2)) o
     WHERE n.nspname = ANY ($1)`,
    [names.map(({ schema }) => schema), names.map(({ name }) => name)],
  )) as { path: string }[];
  const existing = new Set(rows.map(({ path }) => path));
  return names.filter(({ schema, name }) => existing.has(`${schema}.${name}`));
}
