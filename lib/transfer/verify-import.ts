import type { SqlExecutor } from '../common/sql';
import type { Draft } from '../provisioning/homes/tenant-home';
import type { ExportHeader } from './export-format';
import { readContents, type ReadContentsOptions, type SchemaContents } from './schema-contents';
import { majorOf, serverVersion } from './server-version';
import { ImportNotFaithfulError } from './transfer.errors';

/**
 * How the structure was verified: by its `fingerprint`, which covers every property of every object except how its code
 * prints; or, between two versions of PostgreSQL, which print and store the same thing in different ways, by the kinds
 * and names of all `objects`.
 */
export type Verification = 'fingerprint' | 'objects';

/** Enough to see what is wrong, and few enough for a log line. */
const MAX_DIFFERENCES = 20;

/** Since version 18, NOT NULL is also a constraint with a name. */
const NOT_NULL = /^constraint .*_not_null\d*"? on /;

/** Verifies that the schema equals the exported one. @throws ImportNotFaithfulError when it does not */
export async function verifyImport(
  executor: SqlExecutor,
  header: ExportHeader,
  { slug, schemaName }: Draft,
): Promise<Verification> {
  const found = await compareContents(header, executor, schemaName);
  if (typeof found === 'string') return found;
  throw new ImportNotFaithfulError(slug, found);
}

/** How a schema differs from one that was read elsewhere with the same options, in words; nothing when it does not. */
export async function differencesBetween(
  { contents, postgres }: { readonly contents: SchemaContents; readonly postgres: number },
  executor: SqlExecutor,
  schemaName: string,
  options: ReadContentsOptions,
): Promise<string[]> {
  const found = await compareContents({ ...contents, postgres }, executor, schemaName, options);
  return typeof found === 'string' ? [] : [...found];
}

async function compareContents(
  wanted: Pick<ExportHeader, 'fingerprint' | 'codeless' | 'objects' | 'postgres'>,
  executor: SqlExecutor,
  schemaName: string,
  options?: ReadContentsOptions,
): Promise<Verification | readonly string[]> {
  const { fingerprint, codeless, objects } = await readContents(executor, schemaName, options);
  if (fingerprint === wanted.fingerprint) return 'fingerprint';
  // Code was run as it stands in the export. Hand-written code may print differently after that, so it is not compared.
  if (codeless === wanted.codeless) return 'fingerprint';
  const isSameVersion = majorOf(await serverVersion(executor)) === majorOf(wanted.postgres);
  const differences = compare(wanted.objects, objects, isSameVersion);
  if (differences.length === 0 && !isSameVersion) return 'objects';
  const words =
    differences.length > 0 ? differences : ['a property of an object, such as an owner or a default'];
  return words.slice(0, MAX_DIFFERENCES);
}

function compare(wanted: readonly string[], made: readonly string[], isSameVersion: boolean): string[] {
  const [before, after] = [new Set(wanted), new Set(made)];
  const isNew = (object: string) => !before.has(object) && (isSameVersion || !NOT_NULL.test(object));
  return [
    ...wanted.filter((object) => !after.has(object)).map((object) => `${object} is missing`),
    ...made.filter(isNew).map((object) => `${object} is not in the export`),
  ];
}
