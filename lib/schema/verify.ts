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
import { readOutsideTies, type Tie } from './ties';

/** Enough to see what is wrong, and few enough for a log line. */
const MAX_DIFFERENCES = 20;

/**
 * Proves a fresh clone: its structure is the blueprint's, and neither it nor the template leans on the other. Gives what
 * the clone prints otherwise, and means the same, beyond what the blueprint knows of.
 *
 * @throws CloneNotFaithfulError naming the differences
 * @throws SchemaNotFoundError, TransactionRequiredError
 */
export async function verifyClone(
  executor: SqlExecutor,
  blueprint: Blueprint,
  schemaName: string,
): Promise<Prints> {
  const { ties, hash } = await besideSchemas(executor, [schemaName], async ({ oids: [oid], catalogs }) => {
    if (oid === undefined) throw new SchemaNotFoundError(schemaName);
    return {
      ties: await readOutsideTies(executor, { oid, catalogs }),
      hash: (
        await readHashes(executor, catalogs, blueprint.hashQuery, [schemaName], blueprint.prints.hashes)
      ).get(schemaName),
    };
  });
  // In words, which cost far more than the hash by which most clones are seen to have no differences.
  const found = hash === blueprint.hash ? FAITHFUL : await compare(executor, blueprint, schemaName);
  const differences = [
    ...(await describeEntanglements(executor, blueprint.schemaName, ties)),
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

/** PostgreSQL prints most code as it reads it back at once, the rest after one round or two. */
const MAX_GENERATIONS = 3;

/**
 * What those objects print in the clone, if a clone of the clone prints the same: then it is the same code. `undefined`
 * if they never come to the same. Nothing of these clones is left.
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

/** Most clones have no tie at all, or few to shared schemas: only then is the template looked at. */
async function describeEntanglements(
  executor: SqlExecutor,
  templateName: string,
  ties: readonly Tie[],
): Promise<string[]> {
  if (ties.length === 0) return [];
  const template = await inSchema(executor, templateName, (schema, reader) => readObjects(reader, schema));
  return describeTies(
    executor,
    ties.filter((tie) => tie.some((key) => template.has(key))),
  );
}

async function describeTies(executor: SqlExecutor, ties: readonly Tie[]): Promise<string[]> {
  if (ties.length === 0) return [];
  const describe = (key: string) =>
    `pg_describe_object(split_part(${key}, ':', 1)::regclass, split_part(${key}, ':', 2)::oid, 0)`;
  const found = await besideAll(executor, () =>
    rows<{ sentence: string }>(
      executor,
      `SELECT DISTINCT format('%s depends on %s', ${describe('dependent')}, ${describe('needed')}) AS sentence
     FROM unnest($1::text[], $2::text[]) AS pair (dependent, needed) ORDER BY sentence`,
      [ties.map(([dependent]) => dependent), ties.map(([, needed]) => needed)],
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
  return differences.length > 0 ? differences : ['the template has changed since its blueprint was compiled'];
}

/** Of a long query, enough to know it by. */
function shorten(sentence: string): string {
  return sentence.length > MAX_SENTENCE ? `${sentence.slice(0, MAX_SENTENCE)}…` : sentence;
}

const MAX_SENTENCE = 600;
