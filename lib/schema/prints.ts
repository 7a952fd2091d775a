import type { SqlExecutor } from '../common/sql';
import { inSchema } from './catalog';
import { CODE } from './own-name';
import { readStructure, type StructureLine } from './structure';
import { type HashQuery, readLineHashes } from './structure-hashes';

/**
 * What a schema prints after its objects were made from what it printed before, where the two differ: `status IN
 * ('new')` on a varchar prints differently the second time, and then no longer changes. With these, a clone, a clone of
 * a clone, and a tenant whose migrations ran the original text all compare as equal.
 */
export interface Prints {
  /** A line as it may be printed later, and as it was printed first. */
  readonly lines: readonly { readonly object: string; readonly later: string; readonly first: string }[];
  /** The same for the hashes of `hashStructures`: from a later print's hash to the first one's. */
  readonly hashes: Readonly<Record<string, string>>;
}

export const NO_PRINTS: Prints = { lines: [], hashes: {} };

export function bothPrints(one: Prints, other: Prints): Prints {
  return { lines: [...one.lines, ...other.lines], hashes: { ...one.hashes, ...other.hashes } };
}

/** The lines as they were printed first. */
export function asFirstPrinted(lines: readonly StructureLine[], prints: Prints): readonly StructureLine[] {
  if (prints.lines.length === 0) return lines;
  const firsts = new Map(prints.lines.map(({ object, later, first }) => [`${object}\n${later}`, first]));
  return lines.map(({ object, properties }) => ({
    object,
    properties: firsts.get(`${object}\n${properties}`) ?? properties,
  }));
}

/** A schema's structure in both forms, by object. Objects with several lines are left out. */
export interface Printed {
  readonly lines: ReadonlyMap<string, string>;
  readonly hashes: ReadonlyMap<string, string>;
}

export async function readPrinted(
  executor: SqlExecutor,
  query: HashQuery,
  schemaName: string,
): Promise<Printed> {
  const lines = await inSchema(executor, schemaName, (schema, reader) => readStructure(reader, schema));
  const hashes = await readLineHashes(executor, query, schemaName);
  return {
    lines: single(lines.map(({ object, properties }) => [object, properties])),
    hashes: single(hashes.map(({ object, hash }) => [object, hash])),
  };
}

function single(entries: readonly (readonly [string, string])[]): ReadonlyMap<string, string> {
  const found = new Map<string, string | undefined>();
  for (const [object, value] of entries) found.set(object, found.has(object) ? undefined : value);
  return new Map([...found].flatMap(([object, value]) => (value === undefined ? [] : [[object, value]])));
}

/** The objects in both schemas that differ in nothing but code; `undefined` when anything else differs. */
export function differOnlyInCode(
  wanted: readonly StructureLine[],
  made: readonly StructureLine[],
): readonly string[] | undefined {
  const [before, after] = [linesOf(wanted), linesOf(made)];
  if (before.size !== after.size) return undefined;
  const objects: string[] = [];
  for (const [object, properties] of before) {
    const found = after.get(object);
    if (found === undefined) return undefined;
    if (found === properties) continue;
    if (withoutCode(found) !== withoutCode(properties)) return undefined;
    objects.push(object);
  }
  return objects;
}

function linesOf(lines: readonly StructureLine[]): Map<string, string> {
  const texts = new Map<string, string[]>();
  for (const { object, properties } of lines)
    texts.set(object, [...(texts.get(object) ?? []), properties].sort());
  return new Map([...texts].map(([object, found]) => [object, found.join('\n')]));
}

/** The properties that are not code. */
export function withoutCode(properties: string): string {
  return properties
    .split('\n')
    .map((line) =>
      JSON.stringify(JSON.parse(line), (key, value: unknown) => (CODE.has(key) ? undefined : value)),
    )
    .join('\n');
}

/**
 * The prints of `objects` over generations of one schema, where each was made from the print of the one before.
 * `undefined` unless the last two print the same, and each object has one line.
 */
export function settledPrints(
  generations: readonly Printed[],
  objects: readonly string[],
): Prints | undefined {
  const [first, ...laterOnes] = generations;
  const lines: Prints['lines'][number][] = [];
  const hashes: Record<string, string> = {};
  for (const object of objects) {
    const texts = generations.map((each) => each.lines.get(object));
    if (texts.at(-1) === undefined || texts.at(-1) !== texts.at(-2)) return undefined;
    for (const later of laterOnes) {
      const [text, original] = [later.lines.get(object), first.lines.get(object)];
      const [hash, firstHash] = [later.hashes.get(object), first.hashes.get(object)];
      if (text === undefined || original === undefined || hash === undefined || firstHash === undefined)
        return undefined;
      if (text === original || hash in hashes) continue;
      lines.push({ object, later: text, first: original });
      hashes[hash] = firstHash;
    }
  }
  return { lines, hashes };
}
