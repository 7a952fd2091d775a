import { OWN_SCHEMA } from './own-name';
import type { StructureLine } from './structure';

export type DifferenceKind = 'missing' | 'extra' | 'changed';

/** One object that differs between two schemas. */
export interface StructureDifference {
  /** Kind and name: `column orders.place`. */
  readonly object: string;
  /** How the schema that was examined differs from the one that it should equal. */
  readonly kind: DifferenceKind;
  /** In words, one sentence for each property that differs. */
  readonly sentences: readonly string[];
  /** Parts of the object that are missing or extra together with it. */
  readonly parts: readonly Omit<StructureDifference, 'sentences' | 'parts'>[];
  /** Its properties in the examined schema and in the other; `undefined` where it does not exist. */
  readonly found?: Properties;
  readonly wanted?: Properties;
}

export type Properties = Readonly<Record<string, unknown>>;

/** Words for columns of PostgreSQL's catalogs. Other columns are called by their names. */
const WORDS: Readonly<Record<string, string>> = {
  attnotnull: 'NOT NULL',
  attidentity: 'the kind of identity',
  attgenerated: 'the kind of generation',
  indisvalid: 'validity',
  indisunique: 'uniqueness',
  indisreplident: 'the mark as replica identity',
  convalidated: 'validation',
  relrowsecurity: 'row level security',
  relforcerowsecurity: 'forced row level security',
  relpersistence: 'persistence',
  tgenabled: 'the state',
};

/**
 * Properties that follow from others or from the order in which columns were added. They are named only when no other
 * differs.
 */
const SECONDARY = new Set([
  'place',
  'atthasdef',
  'attislocal',
  'attinhcount',
  'relhasoids',
  'attlen',
  'attbyval',
  'attalign',
  'attstorage',
]);

/**
 * How `found` differs from the schema that it should equal. A part of a missing or extra object has no difference of
 * its own.
 */
export function compareStructures(
  wanted: readonly StructureLine[],
  found: readonly StructureLine[],
): StructureDifference[] {
  const [there, here] = [byObject(wanted), byObject(found)];
  const objects = [...new Set([...there.keys(), ...here.keys()])].sort();
  const differences = objects.flatMap((object) => {
    const [before, now] = [there.get(object), here.get(object)];
    if (before === now) return [];
    const kind: DifferenceKind = now === undefined ? 'missing' : before === undefined ? 'extra' : 'changed';
    return [{ object, kind, found: parse(now), wanted: parse(before) }];
  });
  const kinds = new Map(differences.map(({ object, kind }) => [object, kind]));
  const parents = new Map(differences.map((each) => [each, parentOf(each, differences, kinds)]));
  return differences
    .filter((each) => parents.get(each) === undefined && !followsFromAnother(each, differences))
    .map((each) => ({
      ...each,
      sentences: sentencesOf(each),
      parts: differences.filter((part) => parents.get(part) === each.object),
    }));
}

type Difference = Omit<StructureDifference, 'sentences' | 'parts'>;

/** One object may have several lines: parts of a foreign key, for which PostgreSQL chooses the names. */
function byObject(lines: readonly StructureLine[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { object, properties } of [...lines].sort((a, b) => (a.properties < b.properties ? -1 : 1))) {
    const before = texts.get(object);
    texts.set(object, before === undefined ? properties : `${before}\n${properties}`);
  }
  return texts;
}

function parse(properties: string | undefined): Properties | undefined {
  return properties === undefined ? undefined : (JSON.parse(properties.split('\n')[0]) as Properties);
}

/** The missing or extra object that this one is part of, so that this one need not be named. */
function parentOf(
  { object, kind, found, wanted }: Difference,
  differences: readonly Difference[],
  kinds: ReadonlyMap<string, DifferenceKind>,
): string | undefined {
  if (kind === 'changed') return undefined;
  const same = (other: string | undefined) => other !== undefined && kinds.get(other) === kind;
  const first = (...others: (string | undefined)[]) => others.find(same);
  const properties = found ?? wanted ?? {};
  const [type, name] = split(object);
  const table = tableOf(object, properties);
  const byTable = table === undefined ? undefined : first(`relation ${table}`);
  if (byTable !== undefined) return byTable;
  if (/^(owner|grants)$/.test(type)) {
    const whole = differences.find(
      (each) => each.kind === kind && each.object !== object && isNamedBy(each, name),
    );
    return whole?.object;
  }
  const constraint = differences.find(
    (each) => each.kind === kind && each.object.startsWith(`constraint ${name} on `),
  );
  if (type === 'relation') return constraint?.object ?? first(`index ${name}`, `sequence ${name}`);
  if (type === 'index') return constraint?.object;
  if (type === 'sequence') return first(...ownersOf(properties));
  if (properties.contype !== 'n') return undefined;
  // PostgreSQL 18 stores NOT NULL both as a flag of the column and as a constraint.
  const column = `column ${table}.${/^NOT NULL (\S+)/.exec(String(properties.definition))?.[1]}`;
  return kinds.has(column) ? column : undefined;
}

/**
 * A missing or extra column changes the places of those after it, and a missing or extra foreign key changes the order
 * of keys.
 */
function followsFromAnother(
  { object, found, wanted }: Difference,
  differences: readonly Difference[],
): boolean {
  if (object.startsWith(ORDER)) return differences.some(isForeignKeyTooManyOrFew);
  const changed = changedProperties(found, wanted);
  if (changed.length !== 1 || changed[0] !== 'place') return false;
  const table = tableOf(object, {});
  return differences.some(
    (each) =>
      each.kind !== 'changed' && each.object.startsWith('column ') && tableOf(each.object, {}) === table,
  );
}

const ORDER = 'order of the foreign keys on ';

function isForeignKeyTooManyOrFew({ object, kind, found, wanted }: Difference): boolean {
  return kind !== 'changed' && object.startsWith('constraint ') && (found ?? wanted)?.contype === 'f';
}

function changedProperties(found: Properties = {}, wanted: Properties = {}): string[] {
  return [...new Set([...Object.keys(wanted), ...Object.keys(found)])].filter(
    (property) => JSON.stringify(found[property]) !== JSON.stringify(wanted[property]),
  );
}

/** Whether the description, as PostgreSQL gives it for owners and grants (`on table orders`), is about this object. */
function isNamedBy({ object }: Difference, description: string): boolean {
  const [type, name] = split(object);
  return type !== 'owner' && type !== 'grants' && description.endsWith(` ${name}`);
}

/** The table that an object is part of. */
function tableOf(object: string, { definition }: Properties): string | undefined {
  const [type, name] = split(object);
  if (type === 'column') return /^("(?:[^"]|"")*"|[^".]+)\./.exec(name)?.[1];
  if (type === 'index') return / ON (?:ONLY )?("(?:[^"]|"")*"|[^" ]+) USING /.exec(String(definition))?.[1];
  return / (?:on|of) ("(?:[^"]|"")*"|[^" ]+)$/.exec(name)?.[1];
}

/**
 * A sequence's line has its owner as `orders.id a`. Returns the objects, the table or the column, that it may belong
 * to.
 */
function ownersOf({ owner }: Properties): string[] {
  const column = /^(.*) \w$/.exec(String(owner))?.[1];
  return column === undefined ? [] : [`relation ${tableOf(`column ${column}`, {})}`, `column ${column}`];
}

function split(object: string): [type: string, name: string] {
  const space = object.indexOf(' ');
  return [object.slice(0, space), object.slice(space + 1)];
}

function sentencesOf({ object, kind, found = {}, wanted = {} }: Difference): string[] {
  const name = nameInWords(object, kind === 'missing' ? wanted : found);
  if (kind === 'missing') return [`The ${name} is missing.`];
  if (kind === 'extra') return [`The ${name} is not in the template.`];
  const changed = changedProperties(found, wanted);
  const told = changed.filter((property) => !SECONDARY.has(property));
  const most = told.includes('definition') ? ['definition'] : told.length > 0 ? told : changed;
  return most.map((property) => sentence(name, property, found, wanted));
}

const RELATIONS: Readonly<Record<string, string>> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
  c: 'composite type',
  S: 'sequence',
};

function nameInWords(object: string, { relkind }: Properties): string {
  const [type, name] = split(object);
  return type === 'relation' ? `${RELATIONS[String(relkind)] ?? 'relation'} ${name}` : object;
}

function sentence(name: string, property: string, found: Properties, wanted: Properties): string {
  if (property === 'attnotnull')
    return `The ${name} ${found[property] === true ? 'refuses NULL, and in the template it may be NULL' : 'may be NULL, and in the template it may not'}.`;
  if (property === 'indisvalid' && found[property] === false)
    return `The ${name} is invalid: an attempt to make it was broken off.`;
  if (property === 'place') return `The ${name} is at another place among the columns of its table.`;
  const words = WORDS[property] ?? `the ${property}`;
  return `${words[0].toUpperCase()}${words.slice(1)} of the ${name} is ${show(found[property])}, and in the template ${show(wanted[property])}.`;
}

/** Each schema has its own name there. */
const OWN_IN_WORDS = '<own schema>';

function show(value: unknown): string {
  if (value === null || value === undefined || value === '') return 'none';
  return typeof value === 'string' ? value.replaceAll(OWN_SCHEMA, OWN_IN_WORDS) : JSON.stringify(value);
}
