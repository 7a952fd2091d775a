import { type SqlExecutor, quoteIdentifier } from '../common/sql';
import type { Blueprint } from './blueprint';
import { besideSchemas, inSchema, rows, withSearchPath } from './catalog';
import { structureFingerprint } from './fingerprint';
import { readObjects } from './objects';
import { CloneNotFaithfulError, SchemaNotFoundError } from './schema.errors';
import { readStructure, type StructureLine } from './structure';
import { readHashes } from './structure-hashes';
import { readOutsideTies, type Tie } from './ties';

/** Enough to see what is wrong, and few enough for a log line. */
const MAX_DIFFERENCES = 20;

/** Function bodies may name what is made after them. What a statement leaves out is PostgreSQL's own default. */
const REPLAY_SETTINGS = {
  check_function_bodies: 'off',
  default_tablespace: '',
  default_table_access_method: 'heap',
};

/**
 * Makes the schema and everything in it, in one message, within the caller's transaction. Settings are put back.
 * A schema of that name may not exist yet. `fill`, if given, is called when tables are there, and before what checks,
 * indexes or heeds their rows.
 *
 * @throws TransactionRequiredError
 */
export async function replayBlueprint(
  executor: SqlExecutor,
  { statements, rowsAt }: Pick<Blueprint, 'statements' | 'rowsAt'>,
  schemaName: string,
  fill?: () => Promise<void>,
): Promise<void> {
  const create = `CREATE SCHEMA ${quoteIdentifier(schemaName)}`;
  const parts = fill ? [statements.slice(0, rowsAt), statements.slice(rowsAt)] : [statements, []];
  const [before, after] = parts.map((part) => part.join(';\n'));
  await withSearchPath(
    executor,
    schemaName,
    async () => {
      await executor.query(`${create};\n${before}`);
      await fill?.();
      if (after !== '') await executor.query(after);
    },
    REPLAY_SETTINGS,
  );
}

/**
 * Proves a fresh clone: its structure is the blueprint's, and neither it nor the template leans on the other.
 *
 * @throws CloneNotFaithfulError naming the differences
 * @throws SchemaNotFoundError, TransactionRequiredError
 */
export async function verifyClone(
  executor: SqlExecutor,
  blueprint: Blueprint,
  schemaName: string,
): Promise<void> {
  const { ties, hash } = await besideSchemas(executor, [schemaName], async ({ oids: [oid], catalogs }) => {
    if (oid === undefined) throw new SchemaNotFoundError(schemaName);
    return {
      ties: await readOutsideTies(executor, { oid, catalogs }),
      hash: (await readHashes(executor, catalogs, blueprint.hashQuery, [schemaName])).get(schemaName),
    };
  });
  const differences = [
    ...(await describeEntanglements(executor, blueprint.schemaName, ties)),
    // In words, which cost far more than the hash by which most clones are seen to have none.
    ...(hash === blueprint.hash ? [] : await readDifferences(executor, blueprint, schemaName)),
  ];
  if (differences.length > 0) {
    throw new CloneNotFaithfulError(schemaName, blueprint.schemaName, differences.slice(0, MAX_DIFFERENCES));
  }
}

async function readDifferences(
  executor: SqlExecutor,
  blueprint: Blueprint,
  schemaName: string,
): Promise<string[]> {
  const read = (name: string) => inSchema(executor, name, (schema) => readStructure(executor, schema));
  const made = await read(schemaName);
  if (structureFingerprint(made) === blueprint.fingerprint) return [];
  return describeDifferences(await read(blueprint.schemaName), made);
}

/** Most clones have no tie at all, or few to shared schemas: only then is the template looked at. */
async function describeEntanglements(
  executor: SqlExecutor,
  templateName: string,
  ties: readonly Tie[],
): Promise<string[]> {
  if (ties.length === 0) return [];
  const template = await inSchema(executor, templateName, (schema) => readObjects(executor, schema));
  return describeTies(
    executor,
    ties.filter((tie) => tie.some((key) => template.has(key))),
  );
}

async function describeTies(executor: SqlExecutor, ties: readonly Tie[]): Promise<string[]> {
  if (ties.length === 0) return [];
  const describe = (key: string) =>
    `pg_describe_object(split_part(${key}, ':', 1)::regclass, split_part(${key}, ':', 2)::oid, 0)`;
  const found = await rows<{ sentence: string }>(
    executor,
    `SELECT DISTINCT format('%s depends on %s', ${describe('dependent')}, ${describe('needed')}) AS sentence
     FROM unnest($1::text[], $2::text[]) AS pair (dependent, needed) ORDER BY sentence`,
    [ties.map(([dependent]) => dependent), ties.map(([, needed]) => needed)],
  );
  return found.map(({ sentence }) => sentence);
}

function describeDifferences(template: readonly StructureLine[], clone: readonly StructureLine[]): string[] {
  const wanted = new Map(template.map(({ object, properties }) => [object, properties]));
  const made = new Map(clone.map(({ object, properties }) => [object, properties]));
  const objects = [...new Set([...wanted.keys(), ...made.keys()])].sort();
  const differences = objects.flatMap((object) => {
    if (!made.has(object)) return [`${object} is missing`];
    if (!wanted.has(object)) return [`${object} is not in the template`];
    return wanted.get(object) === made.get(object)
      ? []
      : [`${object} is ${made.get(object)}, not ${wanted.get(object)}`];
  });
  return differences.length > 0 ? differences : ['the template has changed since its blueprint was compiled'];
}
