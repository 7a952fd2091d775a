import { quoteIdentifier, quoteLiteral, type SqlExecutor } from '../common/sql';
import { inSchema } from './catalog';
import { readObjects } from './objects';
import { readSteps } from './read-steps';
import { withOwnName } from './own-name';
import { Phase, type Step, stepWithoutOwnName } from './clone-order';
import type { Properties, StructureDifference } from './structure-differences';

/** SQL that removes a difference, for a session whose search path is that of the schema that differs. */
export interface Repair {
  readonly parts: readonly RepairPart[];
  /**
   * Whether it can be run without a review: it destroys nothing, and it fails as a whole where existing rows prevent
   * it.
   */
  readonly isSafe: boolean;
}

type RepairPart = Pick<Step, 'phase' | 'statements'>;

/** The steps that make each object of a schema, by the object's label without quotes. */
export type Makers = ReadonlyMap<string, readonly Step[]>;

/** The statements of several repairs, in an order that works. */
export function statementsOf(repairs: readonly Repair[]): string[] {
  return repairs
    .flatMap(({ parts }) => parts)
    .sort((a, b) => a.phase - b.phase)
    .flatMap(({ statements }) => statements);
}

/** The steps of every object in the schema. Call it in a transaction. */
export function readMakers(executor: SqlExecutor, schemaName: string): Promise<Makers> {
  return inSchema(executor, schemaName, async (schema, reader) => {
    const source = { executor: reader, schema, objects: await readObjects(reader, schema) };
    const makers = new Map<string, Step[]>();
    for (const printed of (await readSteps(source, 'all')).steps) {
      const step = stepWithoutOwnName(printed, schemaName);
      const label = bare(step.label);
      makers.set(label, [...(makers.get(label) ?? []), step]);
    }
    return makers;
  });
}

/** The repair of one difference in the schema; `undefined` when a person must decide what to do. */
export function repairOf(
  difference: StructureDifference,
  makers: Makers,
  schemaName: string,
): Repair | undefined {
  const repair = repairOfAny(difference, makers);
  return (
    repair && {
      ...repair,
      parts: repair.parts.map(({ phase, statements }) => ({
        phase,
        statements: statements.map((statement) => withOwnName(statement, schemaName)),
      })),
    }
  );
}

function repairOfAny(difference: StructureDifference, makers: Makers): Repair | undefined {
  const { object, kind, wanted = {}, found = {} } = difference;
  if (kind === 'missing') return repairMissing(difference, makers);
  if (kind === 'extra') return repairExtra(object, found);
  return repairChanged(object, found, wanted, makers);
}

function repairMissing(
  { object, wanted = {}, parts }: StructureDifference,
  makers: Makers,
): Repair | undefined {
  const [type, name] = split(object);
  const own = makersOf(object, wanted, makers);
  const ofParts = parts.flatMap((part) => makersOf(part.object, part.wanted ?? {}, makers));
  if (type === 'column') {
    const repair = addColumn(name, wanted);
    return { ...repair, parts: [...repair.parts, ...ofParts] };
  }
  if (type === 'constraint') {
    const [constraint, table] = ofTable(name);
    return safe(
      wanted.contype === 'f' ? Phase.ForeignKey : Phase.Constraint,
      `ALTER TABLE ${table} ADD CONSTRAINT ${constraint} ${text(wanted.definition)}`,
    );
  }
  return own.length > 0 ? { parts: [...own, ...ofParts], isSafe: true } : undefined;
}

/** Objects that are too many are dropped only after a person has looked. */
function repairExtra(object: string, found: Properties): Repair | undefined {
  const [type, name] = split(object);
  const unsafe = (statement: string): Repair => ({ ...safe(Phase.Grant, statement), isSafe: false });
  if (type === 'column') {
    const [table, column] = columnOf(name);
    return unsafe(`ALTER TABLE ${table} DROP COLUMN ${column}`);
  }
  if (type === 'constraint') {
    const [constraint, table] = ofTable(name);
    return unsafe(`ALTER TABLE ${table} DROP CONSTRAINT ${constraint}`);
  }
  if (type === 'trigger') {
    const [trigger, table] = ofTable(name);
    return unsafe(`DROP TRIGGER ${trigger} ON ${table}`);
  }
  const kinds: Readonly<Record<string, string>> = {
    r: 'TABLE',
    p: 'TABLE',
    v: 'VIEW',
    m: 'MATERIALIZED VIEW',
  };
  const dropped =
    type === 'relation'
      ? kinds[text(found.relkind)]
      : { index: 'INDEX', sequence: 'SEQUENCE', type: 'TYPE', function: 'FUNCTION' }[type];
  return dropped === undefined ? undefined : unsafe(`DROP ${dropped} ${name}`);
}

function repairChanged(
  object: string,
  found: Properties,
  wanted: Properties,
  makers: Makers,
): Repair | undefined {
  const [type, name] = split(object);
  if (type === 'column') return changeColumn(name, found, wanted);
  if (type === 'order') return reorderForeignKeys(wanted, makers);
  const own = makersOf(object, wanted, makers);
  const [maker] = own;
  if (type === 'index' && maker) return safe(maker.phase, `DROP INDEX ${name}`, ...maker.statements);
  if (type === 'constraint' && (wanted.contype === 'c' || wanted.contype === 'f')) {
    const [constraint, table] = ofTable(name);
    return safe(
      wanted.contype === 'f' ? Phase.ForeignKey : Phase.Constraint,
      `ALTER TABLE ${table} DROP CONSTRAINT ${constraint}`,
      `ALTER TABLE ${table} ADD CONSTRAINT ${constraint} ${text(wanted.definition)}`,
    );
  }
  if (type === 'trigger' && maker) {
    const [trigger, table] = ofTable(name);
    return safe(maker.phase, `DROP TRIGGER ${trigger} ON ${table}`, ...maker.statements);
  }
  if (type === 'function' && maker)
    return safe(
      maker.phase,
      ...maker.statements.map((statement) =>
        statement.replace(/^CREATE (?=FUNCTION|PROCEDURE)/, 'CREATE OR REPLACE '),
      ),
    );
  if (type === 'type') return addLabels(name, found.labels, wanted.labels);
  return undefined;
}

/** Makes the foreign keys anew, in the order that they have in the template. */
function reorderForeignKeys(wanted: Properties, makers: Makers): Repair | undefined {
  const names = [...new Set([wanted['effect on DELETE'], wanted['effect on UPDATE']].flat())].filter(
    (name) => typeof name === 'string',
  );
  const steps = names.map((name) => makersOf(`constraint ${name}`, wanted, makers));
  if (steps.some(({ length }) => length === 0)) return undefined;
  const drops = names.map((name) => {
    const [constraint, table] = ofTable(name);
    return `ALTER TABLE ${table} DROP CONSTRAINT ${constraint}`;
  });
  return safe(Phase.ForeignKey, ...drops, ...steps.flat().flatMap(({ statements }) => statements));
}

/** Adds missing labels of an enum in their places. Extra labels stay, because rows may hold them. */
function addLabels(name: string, found: unknown, wanted: unknown): Repair | undefined {
  if (!Array.isArray(found) || !Array.isArray(wanted)) return undefined;
  const labels = wanted as string[];
  const added = labels.flatMap((label, i) => {
    if (found.includes(label)) return [];
    const place =
      i === 0
        ? labels.length > 1
          ? ` BEFORE ${quoteLiteral(labels.find((each) => found.includes(each)) ?? label)}`
          : ''
        : ` AFTER ${quoteLiteral(labels[i - 1])}`;
    return [`ALTER TYPE ${name} ADD VALUE ${quoteLiteral(label)}${place}`];
  });
  return added.length > 0 ? safe(Phase.Type, ...added) : undefined;
}

function addColumn(name: string, wanted: Properties): Repair {
  const [table, column] = columnOf(name);
  const hasValue = wanted.default !== null || wanted.attidentity !== '';
  const identity =
    { a: ' GENERATED ALWAYS AS IDENTITY', d: ' GENERATED BY DEFAULT AS IDENTITY' }[
      text(wanted.attidentity)
    ] ?? '';
  const value =
    wanted.attgenerated !== ''
      ? ` GENERATED ALWAYS AS (${text(wanted.default)}) ${wanted.attgenerated === 'v' ? 'VIRTUAL' : 'STORED'}`
      : wanted.default === null
        ? ''
        : ` DEFAULT ${text(wanted.default)}`;
  const collation =
    wanted.collation === null || wanted.collation === '"default"' ? '' : ` COLLATE ${text(wanted.collation)}`;
  const statement =
    `ALTER TABLE ${table} ADD COLUMN ${column} ${text(wanted.type)}${collation}${value}${identity}` +
    (wanted.attnotnull === true ? ' NOT NULL' : '');
  // Existing rows would have no value for it.
  return { ...safe(Phase.Attachment, statement), isSafe: wanted.attnotnull !== true || hasValue };
}

function changeColumn(name: string, found: Properties, wanted: Properties): Repair | undefined {
  const [table, column] = columnOf(name);
  const alter = `ALTER TABLE ${table} ALTER COLUMN ${column}`;
  const differs = (property: string) => JSON.stringify(found[property]) !== JSON.stringify(wanted[property]);
  const statements: string[] = [];
  if (differs('type') || differs('collation')) statements.push(`${alter} TYPE ${text(wanted.type)}`);
  if (differs('default') && wanted.attgenerated === '' && found.attgenerated === '')
    statements.push(
      wanted.default === null ? `${alter} DROP DEFAULT` : `${alter} SET DEFAULT ${text(wanted.default)}`,
    );
  if (differs('attnotnull'))
    statements.push(`${alter} ${wanted.attnotnull === true ? 'SET' : 'DROP'} NOT NULL`);
  if (differs('comment'))
    statements.push(
      `COMMENT ON COLUMN ${table}.${column} IS ${wanted.comment === null ? 'NULL' : quoteLiteral(text(wanted.comment))}`,
    );
  if (statements.length === 0) return undefined;
  return { ...safe(Phase.Default, ...statements), isSafe: !differs('type') && !differs('collation') };
}

function safe(phase: number, ...statements: string[]): Repair {
  return { parts: [{ phase, statements }], isSafe: true };
}

const RELATIONS: Readonly<Record<string, string>> = {
  r: 'table',
  p: 'table',
  v: 'view',
  m: 'materialized view',
};

/**
 * Finds the steps of an object. Labels of steps use other words than a structure's lines, and no quotes around names.
 */
function makersOf(object: string, { relkind }: Properties, makers: Makers): readonly Step[] {
  const [type, name] = split(object);
  const isOfTable = type === 'trigger' || type === 'policy' || type === 'constraint';
  const kind =
    type === 'relation'
      ? (RELATIONS[text(relkind)] ?? '')
      : type === 'statistics'
        ? 'statistics object'
        : type;
  return makers.get(bare(`${kind} ${isOfTable ? name.replace(/ on (?=\S+$)/, ' on table ') : name}`)) ?? [];
}

function bare(label: string): string {
  return label.replaceAll('"', '');
}

function split(object: string): [type: string, name: string] {
  const space = object.indexOf(' ');
  return [object.slice(0, space), object.slice(space + 1)];
}

const NAME = String.raw`"(?:[^"]|"")*"|[^"\s.]+`;

/** The parts of `orders.place`, each as SQL writes it. */
function columnOf(name: string): [table: string, column: string] {
  const [, table, column] = new RegExp(`^(${NAME})\\.(.*)$`, 's').exec(name) ?? [];
  return [table ?? quoteIdentifier(name), column ?? ''];
}

/** The parts of `orders_check on orders`. */
function ofTable(name: string): [part: string, table: string] {
  const [, part, table] = new RegExp(`^(${NAME}) on (${NAME})$`, 's').exec(name) ?? [];
  return [part ?? name, table ?? ''];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : String(value);
}
