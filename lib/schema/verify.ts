import type { SqlExecutor } from '../common/sql';
import { generateSchemaName } from '../registry/schema-name';
import { type Blueprint, compileBlueprint } from './blueprint';
import { besideAll, besideSchemas, inSchema, rows } from './catalog';
import { replayBlueprint } from './clone';
import { structureFingerprint } from './fingerprint';
import { readObjects } from './objects';
import {
  asFirstPrinted,
  differOnlyInCode,
  NO_PRINTS,
  type Prints,
  readPrinted,
  settledPrints,
} from './prints';
import { CloneNotFaithfulError, SchemaNotFoundError } from './schema.errors';
import { readStructure, type StructureLine } from './structure';
import { compareStructures } from './structure-differences';
import { readHashes } from './structure-hashes';
import { type Dependency, readDependenciesOf, readOutsideDependencies } from './outside-dependencies';

/** Enough to see what is wrong, and few enough for a log line. */
const MAX_DIFFERENCES = 20;

/**
 * Proves that a clone has the blueprint's structure, and that neither it nor the template depends on the other. Returns
 * how the clone prints differently without a difference in meaning, beyond what the blueprint knows.
 *
 * @throws CloneNotFaithfulError naming the differences
 * @throws SchemaNotFoundError when the clone does not exist
 * @throws TransactionRequiredError when no transaction is open
 */
export function verifyClone(
  executor: SqlExecutor,
  blueprint: Blueprint,
  schemaName: string,
): Promise<Prints> {
  return verify(executor, blueprint, schemaName, (oid, catalogs) =>
    readOutsideDependencies(executor, { oid, catalogs }),
  );
}

/**
 * The same for a clone that the current transaction has made from the blueprint, which costs a quarter less. Nothing that was
 * added to the template since it was compiled can depend on such a clone, nor the clone on it, so only the template's
 * objects of then are looked at.
 */
export function verifyReplay(
  executor: SqlExecutor,
  blueprint: Blueprint,
  schemaName: string,
): Promise<Prints> {
  return verify(executor, blueprint, schemaName, () =>
    readDependenciesOf(executor, blueprint.schemaName, blueprint.objects),
  );
}

async function verify(
  executor: SqlExecutor,
  blueprint: Blueprint,
  schemaName: string,
  readDependencies: (oid: number, catalogs: ReadonlySet<string>) => Promise<Dependency[]>,
): Promise<Prints> {
  const { dependencies, hash } = await besideSchemas(
    executor,
    [schemaName],
    async ({ oids: [oid], catalogs }) => {
      if (oid === undefined) throw new SchemaNotFoundError(schemaName);
      const { hashQuery, prints } = blueprint;
      // Before the hashes: these put the schema on the path, and with it names that hide PostgreSQL's own.
      const dependencies = await readDependencies(oid, catalogs);
      const hashes = await readHashes(executor, catalogs, hashQuery, [schemaName], prints.hashes);
      return { dependencies, hash: hashes.get(schemaName) };
    },
  );
  // Comparing in words costs far more than the hash, and the hash is equal for most clones.
  const found = hash === blueprint.hash ? FAITHFUL : await compare(executor, blueprint, schemaName);
  const differences = [
    ...(await describeOutsideDependencies(executor, blueprint.schemaName, schemaName, dependencies)),
    ...found.differences,
  ];
  if (differences.length > 0) {
    throw new CloneNotFaithfulError(schemaName, blueprint.schemaName, differences.slice(0, MAX_DIFFERENCES));
  }
  return found.prints;
}

const FAITHFUL = { differences: [] as readonly string[], prints: NO_PRINTS };

async function compare(
  executor: SqlExecutor,
  blueprint: Blueprint,
  schemaName: string,
): Promise<typeof FAITHFUL> {
  const read = (name: string) => inSchema(executor, name, (schema, reader) => readStructure(reader, schema));
  const made = asFirstPrinted(await read(schemaName), blueprint.prints);
  if (structureFingerprint(made) === blueprint.fingerprint) return FAITHFUL;
  const template = await read(blueprint.schemaName);
  const prints = await learnPrints(executor, blueprint, schemaName, differOnlyInCode(template, made));
  return prints
    ? { differences: [], prints }
    : { ...FAITHFUL, differences: describeDifferences(template, made) };
}

/** PostgreSQL prints most code exactly as it was read, and the rest stays the same after one or two rounds. */
const MAX_GENERATIONS = 3;

/**
 * How those objects print in the clone, if a clone of the clone prints them in the same way: then it is the same code.
 * `undefined` if the prints never settle. These clones are rolled back.
 */
async function learnPrints(
  executor: SqlExecutor,
  { schemaName, hashQuery, sharedSchemas }: Blueprint,
  cloneName: string,
  objects: readonly string[] = [],
): Promise<Prints | undefined> {
  if (objects.length === 0) return undefined;
  await executor.query('SAVEPOINT prints');
  try {
    const print = (name: string) => readPrinted(executor, hashQuery, name);
    const generations = [await print(schemaName), await print(cloneName)];
    for (let last = cloneName; generations.length < MAX_GENERATIONS + 2;) {
      const again = await compileBlueprint(executor, last, { filled: 'all', sharedSchemas });
      last = generateSchemaName();
      await replayBlueprint(executor, again, last);
      generations.push(await print(last));
      const prints = settledPrints(generations, objects);
      if (prints) return prints;
    }
    return undefined;
  } finally {
    await executor.query('ROLLBACK TO SAVEPOINT prints');
  }
}

/** Most schemas have no such dependency, or a few on shared schemas. Both are read only when there is one. */
async function describeOutsideDependencies(
  executor: SqlExecutor,
  templateName: string,
  cloneName: string,
  dependencies: readonly Dependency[],
): Promise<string[]> {
  if (dependencies.length === 0) return [];
  const read = (name: string) => inSchema(executor, name, (schema, reader) => readObjects(reader, schema));
  const [template, clone] = [await read(templateName), await read(cloneName)];
  const isBetween = ([one, other]: Dependency) =>
    (template.has(one) && clone.has(other)) || (clone.has(one) && template.has(other));
  return describeDependencies(executor, dependencies.filter(isBetween));
}

async function describeDependencies(
  executor: SqlExecutor,
  dependencies: readonly Dependency[],
): Promise<string[]> {
  if (dependencies.length === 0) return [];
  const describe = (key: string) =>
    `pg_describe_object(split_part(${key}, ':', 1)::regclass, split_part(${key}, ':', 2)::oid, 0)`;
  const found = await besideAll(executor, () =>
    rows<{ sentence: string }>(
      executor,
      `SELECT DISTINCT format('%s depends on %s', ${describe('dependent')}, ${describe('needed')}) AS sentence
     FROM unnest($1::text[], $2::text[]) AS pair (dependent, needed) ORDER BY sentence`,
      [dependencies.map(([dependent]) => dependent), dependencies.map(([, needed]) => needed)],
    ),
  );
  return found.map(({ sentence }) => sentence);
}

function describeDifferences(template: readonly StructureLine[], clone: readonly StructureLine[]): string[] {
  const wanted = new Map(template.map(({ object, properties }) => [object, properties]));
  const made = new Map(clone.map(({ object, properties }) => [object, properties]));
  const objects = [...new Set([...wanted.keys(), ...made.keys()])].sort();
  const of = (lines: readonly StructureLine[], wantedObject: string) =>
    lines.filter(({ object }) => object === wantedObject);
  const changesOf = (object: string) =>
    compareStructures(of(template, object), of(clone, object)).flatMap(({ sentences }) =>
      sentences.map(shorten),
    );
  const differences = objects.flatMap((object) => {
    if (!made.has(object)) return [`${object} is missing`];
    if (!wanted.has(object)) return [`${object} is not in the template`];
    return wanted.get(object) === made.get(object) ? [] : changesOf(object);
  });
  return differences.length > 0 ? differences : ['the template was changed after its blueprint was compiled'];
}

/** The beginning of a long sentence, enough to recognize it. */
function shorten(sentence: string): string {
  return sentence.length > MAX_SENTENCE ? `${sentence.slice(0, MAX_SENTENCE)}…` : sentence;
}

const MAX_SENTENCE = 600;
