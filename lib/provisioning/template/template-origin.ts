import { listed } from '../../common/listed';
import type { SqlExecutor } from '../../common/sql';
import { TemplateForeignError } from '../provisioning-start.errors';
import type { ProvisioningOptions } from '../provisioning.options';
import { type SharedSurvey, unknownOf } from './shared-migrator';
import { TYPEORM_METADATA } from './template-data';

/** The template's migrations, and the code's migrations that it lacks, by name. */
interface TemplateHistory {
  readonly applied: readonly string[];
  readonly known: ReadonlySet<string>;
  readonly pending: readonly string[];
}

type Place = Pick<ProvisioningOptions, 'templateSchema' | 'registrySchema'>;

/**
 * Why the template may belong to another application, in words, for the error of a migration that fails there;
 * `undefined` when nothing suggests that. Call it before a pending migration runs.
 *
 * @throws TemplateForeignError when the code has none of the template's migrations
 */
export async function suspectOther(
  transaction: SqlExecutor,
  { applied, known, pending }: TemplateHistory,
  place: Place,
): Promise<string | undefined> {
  const unknown = applied.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    if (unknown.length === applied.length) throw new TemplateForeignError(unknown, pending, place);
    return `The template also has ${listed(unknown)}, which this code does not have. ${remedyFor(place)}`;
  }
  const tables = applied.length > 0 ? [] : await readTables(transaction, place.templateSchema);
  if (tables.length === 0) return undefined;
  return (
    `The schema "${place.templateSchema}" had tables (${listed(tables)}) before its first migration ran, as far as the ` +
    `registry "${place.registrySchema}" knows. ${remedyFor(place)}`
  );
}

/**
 * A warning about migrations that have run in the template or a shared schema and that the code does not have;
 * `undefined` when there is none.
 */
export function describeUnknown(
  template: Omit<SharedSurvey, 'schema'>,
  shared: readonly SharedSurvey[],
  place: Place,
): string | undefined {
  const unknown = [
    ...unknownOf(template),
    ...shared.flatMap((survey) => unknownOf(survey).map((name) => `${survey.schema}: ${name}`)),
  ];
  if (unknown.length === 0) return undefined;
  return (
    `Migrations have run that this code does not have: ${listed(unknown)}. They were removed, or a newer version runs ` +
    `elsewhere; tenants keep what they did. ${remedyFor(place)}`
  );
}

function remedyFor({ templateSchema, registrySchema }: Place): string {
  return (
    `If another application uses this database, give this one a templateSchema (now "${templateSchema}") and a ` +
    `registry.schema (now "${registrySchema}") of its own.`
  );
}

async function readTables(executor: SqlExecutor, schemaName: string): Promise<string[]> {
  const rows = (await executor.query(
    `SELECT c.relname AS name FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname <> $2 ORDER BY 1`,
    [schemaName, TYPEORM_METADATA],
  )) as { name: string }[];
  return rows.map(({ name }) => name);
}
