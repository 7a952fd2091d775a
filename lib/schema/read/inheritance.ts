import { quoteIdentifier } from '../../common/sql';
import type { Obstacle } from '../schema.errors';
import { Phase, type Step } from '../clone-order';
import type { FamilyTable } from './births';
import { type Addition, orderAdditions } from './column-order';
import { type Column, columnDefinition, identityClause } from './columns';
import { createTable, type Relation } from './relations';
import type { Sequence } from './sequences';

/** A table with parents or children, and its columns. */
interface Member {
  readonly table: Relation;
  readonly quoted: string;
  readonly columns: readonly Column[];
  /** The parents from which it has inherited columns. */
  readonly born: readonly string[];
  /** The parents that it got by ALTER TABLE … INHERIT: it had all of their columns before. */
  readonly adopted: readonly string[];
}

type SequenceOf = (column: Column) => Sequence | undefined;

/**
 * One step for each family of tables that inherit from one another. The tables are made with few columns or none, and
 * the rest is added in the order in which they once grew. Only in this way does every column get its place, and is
 * known as inherited, declared, or both.
 *
 * Checks and keys come later (`familyChecks`), and so do defaults, because a child's may differ from its parent's.
 */
export function inheritanceSteps(
  relations: readonly Relation[],
  columnsOf: (relation: Relation) => readonly Column[],
  sequenceOf: SequenceOf,
): { readonly steps: Step[]; readonly obstacles: Obstacle[] } {
  const members = relations
    .filter(({ inherits }) => inherits)
    .map((table) => memberOf(table, columnsOf(table), relations, columnsOf));
  const steps: Step[] = [];
  const obstacles: Obstacle[] = [];
  for (const family of familiesOf(members)) {
    const additions = orderAdditions(family.map(growthOf));
    if (additions) steps.push(familyStep(family, additions, sequenceOf));
    else obstacles.push({ object: `table ${family[0].table.name}`, remedy: COLUMN_ORDER });
  }
  return { steps, obstacles };
}

const COLUMN_ORDER =
  'its columns and those of the tables that inherit from it stand in an order that no ADD COLUMN leads to. Recreate ' +
  'the tables that inherit from it.';

function memberOf(
  table: Relation,
  columns: readonly Column[],
  relations: readonly Relation[],
  columnsOf: (relation: Relation) => readonly Column[],
): Member {
  const own = new Set(columns.filter(({ local }) => local).map(({ name }) => name));
  const hadAllOf = (parent: string) =>
    relations
      .filter(({ name }) => quoteIdentifier(name) === parent)
      .every((relation) => columnsOf(relation).every(({ name }) => own.has(name)));
  const last = table.parents.findLastIndex((parent) => !hadAllOf(parent));
  return {
    table,
    quoted: quoteIdentifier(table.name),
    columns,
    born: table.parents.slice(0, last + 1),
    adopted: table.parents.slice(last + 1),
  };
}

/** Sorted so that parents come before children. */
function familiesOf(members: readonly Member[]): Member[][] {
  const families = new Map<Member, Member[]>();
  const parentsOf = ({ table }: Member) => members.filter(({ quoted }) => table.parents.includes(quoted));
  const join = (member: Member, family: Member[]): void => {
    if (family.includes(member)) return;
    parentsOf(member).forEach((parent) => join(parent, family));
    if (family.includes(member)) return;
    family.push(member);
    families.set(member, family);
    members.filter((child) => parentsOf(child).includes(member)).forEach((child) => join(child, family));
  };
  members.forEach((member) => {
    if (!families.has(member)) join(member, []);
  });
  return [...new Set(families.values())];
}

function growthOf({ quoted, born, columns }: Member): FamilyTable {
  return {
    name: quoted,
    parents: born,
    columns: new Map(columns.map(({ name, local }) => [name, local])),
    sources: new Map(columns.map(({ name, sources }) => [name, sources])),
  };
}

function familyStep(family: readonly Member[], additions: readonly Addition[], sequenceOf: SequenceOf): Step {
  const sequences = family.flatMap(({ columns }) => columns.flatMap((column) => sequenceOf(column) ?? []));
  const oldestLast = [...family].reverse();
  return {
    phase: Phase.Table,
    label: `table ${family[0].table.name}`,
    creates: [
      ...family.map(({ table }) => `pg_class:${table.oid}`),
      ...sequences.map(({ oid }) => `pg_class:${oid}`),
    ],
    statements: [
      ...growthOfFamily(family, additions),
      // A NOT NULL may have come from a parent that was added later.
      ...family.flatMap(({ quoted, adopted }) => adoptions(quoted, adopted)),
      ...family.flatMap((member) => ownExpressions(member, family)),
      ...oldestLast.flatMap(namedNotNulls),
      ...family.flatMap((member) => ownAlterations(member, sequenceOf)),
      ...family.flatMap(({ quoted, table: { ofType } }) =>
        ofType === null ? [] : [`ALTER TABLE ONLY ${quoted} OF ${ofType}`],
      ),
    ],
  };
}

function adoptions(child: string, parents: readonly string[]): string[] {
  return parents.map((parent) => `ALTER TABLE ONLY ${child} INHERIT ${parent}`);
}

type Birth = Omit<Addition, 'table'>;
const EMPTY: Birth = { columns: [] };

/**
 * Makes the tables and adds their columns. A table with two parents is made empty, and its parents too, because it gets
 * their columns in turns, unless it must start with some columns (see `Births`). Any other table is made with the
 * columns of its first addition.
 */
function growthOfFamily(family: readonly Member[], additions: readonly Addition[]): string[] {
  const made = new Set<Member>();
  const parentsOf = ({ born }: Member) => family.filter(({ quoted }) => born.includes(quoted));
  const create = (member: Member, { columns: names, born: inherited, adopted }: Birth): string[] => {
    if (made.has(member)) return [];
    made.add(member);
    const parents = parentsOf(member);
    // For an inherited column PostgreSQL 15 accepts no expression in the child's definition, not even an equal one.
    const columns = member.columns.map((column) =>
      !adopted && inherited?.has(column.name) && isAsIn(parents, column)
        ? { ...column, generated: null }
        : column,
    );
    const table = { ...member.table, parents: adopted ? [] : [...member.born] };
    return [
      ...parents.flatMap((parent) => create(parent, EMPTY)),
      createTable(table, definitions({ columns }, names)),
      ...(adopted ? adoptions(member.quoted, member.born) : []),
    ];
  };
  const madeLater = new Set(additions.flatMap(({ table, born }) => (born ? [table] : [])));
  const heirsOfTwo = family.filter(({ born, quoted }) => born.length > 1 && !madeLater.has(quoted));
  return [
    ...heirsOfTwo.flatMap((member) => create(member, EMPTY)),
    ...additions.flatMap((addition) => {
      const { table, columns } = addition;
      const member = family.find(({ quoted }) => quoted === table);
      if (member === undefined) return [];
      if (!made.has(member)) return create(member, addition);
      const added = definitions(member, columns).map((definition) => `ADD COLUMN ${definition}`);
      return [`ALTER TABLE ${table} ${added.join(', ')}`];
    }),
    ...family.flatMap((member) => create(member, EMPTY)),
  ];
}

function definitions({ columns }: Pick<Member, 'columns'>, names: readonly string[]): string[] {
  return names
    .flatMap((name) => columns.filter((column) => column.name === name))
    .map((column) =>
      columnDefinition({ ...column, notNull: null, compression: null, identity: null }, false),
    );
}

/**
 * Since PostgreSQL 17 a child may compute an inherited column by another expression, and its own children then use that
 * one.
 */
function ownExpressions({ quoted, table, columns }: Member, family: readonly Member[]): string[] {
  const parents = family.filter((member) => table.parents.includes(member.quoted));
  return columns
    .filter((column) => column.generated && !column.local && !isAsIn(parents, column))
    .map(
      ({ name, default: expression }) =>
        `ALTER TABLE ${quoted} ALTER COLUMN ${quoteIdentifier(name)} SET EXPRESSION AS (${expression})`,
    );
}

/** Whether one of the parents computes the column by the same expression. */
function isAsIn(parents: readonly Member[], { name, default: expression }: Column): boolean {
  return parents.some(({ columns }) =>
    columns.some((column) => column.name === name && column.default === expression),
  );
}

/**
 * Since PostgreSQL 18 a child's NOT NULL is either the parent's or its own. Its own must be set before the parent's.
 */
function namedNotNulls({ quoted, columns }: Member): string[] {
  return columns.flatMap(({ name, notNull, notNullNamed, notNullLocal }) => {
    if (notNull === null || !notNullNamed || !notNullLocal) return [];
    const constraint = notNull.replace(
      / NOT NULL(?= NO INHERIT$|$)/,
      (words) => `${words} ${quoteIdentifier(name)}`,
    );
    return [`ALTER TABLE ${quoted} ADD ${constraint}`];
  });
}

function ownAlterations({ quoted, columns }: Member, sequenceOf: SequenceOf): string[] {
  const actions = columns.flatMap((column) => {
    const sequence = sequenceOf(column);
    return [
      column.notNull !== null && !column.notNullNamed && 'SET NOT NULL',
      column.compression !== null && `SET COMPRESSION ${column.compression}`,
      ...column.alterations,
      column.identity !== null && sequence !== undefined && `ADD ${identityClause(column, sequence)}`,
    ]
      .filter(Boolean)
      .map((action) => `ALTER COLUMN ${quoteIdentifier(column.name)} ${action}`);
  });
  return actions.length === 0 ? [] : [`ALTER TABLE ONLY ${quoted} ${actions.join(', ')}`];
}
