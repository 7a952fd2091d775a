import { OWN_SCHEMA } from './own-name';
import type { StructureLine } from './structure';

export type DifferenceKind = 'missing' | 'extra' | 'changed';

/** One object that two schemas do not have alike. */
export interface StructureDifference {
  /** Kind and name: `column orders.place`. */
  readonly object: string;
  /** In the schema that was looked at, not in the one it should be like. */
  readonly kind: DifferenceKind;
  /** In words, one for each property that differs. */
  readonly sentences: readonly string[];
  /** What is missing or extra with it, since it is a part of it. */
  readonly parts: readonly Omit<StructureDifference, 'sentences' | 'parts'>[];
  /** Its properties here and there; `undefined` where it is not. */
  readonly found?: Properties;
  readonly wanted?: Properties;
}

export type Properties = Readonly<Record<string, unknown>>;

/** What the columns of PostgreSQL's catalogs are called in words. Others are called by their own name. */
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

/** Follow from others, or from the order in which columns came; told only when nothing else is. */
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

/** How a schema differs from the one it should be like; a part of what is missing or extra is not told beside it. */
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

/** Several lines may be of one object: parts of a foreign key that PostgreSQL names by itself. */
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

/** The object that is missing or extra, too, so that it goes without saying that this one is. */
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
  // PostgreSQL 18 keeps NOT NULL as a constraint beside the column's mark.
  const column = `column ${table}.${/^NOT NULL (\S+)/.exec(String(properties.definition))?.[1]}`;
  return kinds.has(column) ? column : undefined;
}

/** A column that is missing, or one that is extra, moves those behind it; so does a foreign key in the order of them. */
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

/** `on table orders`, as PostgreSQL describes what has owners and grants. */
function isNamedBy({ object }: Difference, description: string): boolean {
  const [type, name] = split(object);
  return type !== 'owner' && type !== 'grants' && description.endsWith(` ${name}`);
}

/** The table that an object is a part of. */
function tableOf(object: string, { definition }: Properties): string | undefined {
  const [type, name] = split(object);
  if (type === 'column') return /^("(?:[^"]|"")*"|[^".]+)\./.exec(name)?.[1];
  if (type === 'index') return / ON (?:ONLY )?("(?:[^"]|"")*"|[^" ]+) USING /.exec(String(definition))?.[1];
  return / (?:on|of) ("(?:[^"]|"")*"|[^" ]+)$/.exec(name)?.[1];
}

/** `orders.id a`, as the line of a sequence says whose it is: the table or else the column. */
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

/** Each has a name of its own there. */
const OWN_IN_WORDS = '<own schema>';

function show(value: unknown): string {
  if (value === null || value === undefined || value === '') return 'none';
  return typeof value === 'string' ? value.replaceAll(OWN_SCHEMA, OWN_IN_WORDS) : JSON.stringify(value);
}
