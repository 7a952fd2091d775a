import { quoteIdentifier } from '../../common/sql';
import { type Column, columnDefinition } from './columns';
import { createTable, type Relation } from './relations';

/** A table with parents or children, and its columns. */
export interface Member {
  readonly table: Relation;
  readonly quoted: string;
  readonly columns: readonly Column[];
  /** In the order of INHERITS. */
  readonly parents: readonly Member[];
  readonly children: readonly Member[];
}

/** How a table gets every column in its place, and knows it as its own, inherited, or both. */
export interface Making {
  readonly create: readonly string[];
  /** Run when all tables of the family exist, and first for its children. */
  readonly join: readonly string[];
  /** Run when all tables of the family have joined. */
  readonly finish: readonly string[];
  /** Whether `join` adds columns, so that no function may read the table before. */
  readonly grows: boolean;
}

/**
 * PostgreSQL puts inherited columns first, and a table may still have others before them, because it grew with its
 * parents or came under them later. Such a table is made under a stand-in, an empty table with the same columns in the
 * same order. Then it joins its parents, and at last it leaves the stand-in: a column that another parent has stays
 * inherited, and INHERIT finds columns by their names, wherever they stand.
 */
export function makingOf(member: Member, standIn: string): Making {
  const { table, quoted, columns, parents } = member;
  if (canStartUnderParents(member)) {
    const inherited = parents.flatMap((parent) => namesOf(parent.columns));
    return { create: [createTable(table, ownLines(columns, inherited))], join: [], finish: [], grows: false };
  }
  const late = lateColumns(member);
  const early = columns.filter((column) => !late.includes(column));
  const grows = late.length > 0;
  const join = [
    ...late.flatMap((column) => addition(column, quoted, standIn)),
    ...parents.map((parent) => `ALTER TABLE ONLY ${quoted} INHERIT ${parent.quoted}`),
  ];
  const inheritedNotNulls = early.filter(({ notNullLocal }) => !notNullLocal).flatMap(namedNotNull);
  if (columns.every(({ local, notNullLocal }) => local && notNullLocal)) {
    return { create: [createTable({ ...table, parents: [] }, ownLines(early))], join, finish: [], grows };
  }
  return {
    create: [
      `CREATE TABLE ${standIn} (${[...early.map((column) => define(column)), ...inheritedNotNulls].join(', ')})`,
      createTable({ ...table, parents: [standIn] }, ownLines(early, namesOf(early))),
    ],
    join,
    finish: [`ALTER TABLE ${quoted} NO INHERIT ${standIn}`, `DROP TABLE ${standIn}`],
    grows,
  };
}

/** What the table declares itself. */
function ownLines(columns: readonly Column[], inherited: readonly string[] = []): string[] {
  return [
    ...columns.filter(({ local }) => local).map((column) => define(column, inherited.includes(column.name))),
    ...columns.filter(({ notNullLocal }) => notNullLocal).flatMap(namedNotNull),
  ];
}

/** What the table declares itself is added to it, and the rest to its stand-in. */
function addition(column: Column, table: string, standIn: string): string[] {
  return [
    `ALTER TABLE ${column.local ? table : standIn} ADD COLUMN ${define(column)}`,
    ...namedNotNull(column).map(
      (notNull) => `ALTER TABLE ${column.notNullLocal ? table : standIn} ADD ${notNull}`,
    ),
  ];
}

/** Whether CREATE TABLE … INHERITS gives its columns: first those of its parents, then its own. */
function canStartUnderParents(member: Member): boolean {
  const { columns, parents } = member;
  const inherited = [...new Set(parents.flatMap((parent) => namesOf(parent.columns)))];
  return (
    [member, ...parents].every((each) => lateColumns(each).length === 0) &&
    inherited.every((name, place) => columns[place].name === name) &&
    columns.slice(inherited.length).every(({ local }) => local) &&
    columns.every((column) => column.notNullLocal || column.notNull === inheritedNotNull(column, parents)) &&
    parents.every((parent) => parent.columns.every((column) => isComputedAlike(column, member)))
  );
}

/** CREATE TABLE takes the name that the NOT NULL has in the first parent. */
function inheritedNotNull({ name }: Column, parents: readonly Member[]): string | null {
  const found = parents.flatMap(({ columns }) =>
    columns.filter((column) => column.name === name && namedNotNull(column).length > 0),
  );
  return found.find(({ notNull }) => !notNull?.endsWith(' NO INHERIT'))?.notNull ?? null;
}

/**
 * The columns that the table gets by ADD COLUMN when its children have them already. INHERIT refuses a child that
 * computes a column in another way than its parent, and ADD COLUMN does not look.
 *
 * None where ADD COLUMN would come too early for a generated column. Then only expressions differ, for which INHERIT
 * looks only before PostgreSQL 16, where this cannot be.
 */
function lateColumns({ columns, children }: Member): readonly Column[] {
  const first = columns.findIndex((column) => children.some((child) => !isComputedAlike(column, child)));
  if (first === -1) return [];
  const late = columns.slice(first);
  const after = (column: Column) => namesOf(columns.slice(columns.indexOf(column)));
  return late.some((column) => column.sources.some((name) => after(column).includes(name))) ? [] : late;
}

function isComputedAlike(column: Column, { columns }: Member): boolean {
  const same = columns.find(({ name }) => name === column.name);
  if (same?.generated !== column.generated) return false;
  return column.generated === null || same.default === column.default;
}

function namesOf(columns: readonly Column[]): string[] {
  return columns.map(({ name }) => name);
}

/** From PostgreSQL 18 on a NOT NULL has a name, and a table declares or inherits it as it does a column. */
function namedNotNull({ name, notNull, notNullNamed }: Column): string[] {
  if (notNull === null || !notNullNamed) return [];
  return [notNull.replace(/ NOT NULL(?= NO INHERIT$|$)/, (words) => `${words} ${quoteIdentifier(name)}`)];
}

/**
 * Defaults and the like come later. Where the column is also inherited, PostgreSQL 15 accepts no expression, not even
 * an equal one.
 */
function define(column: Column, isInherited = false): string {
  const generated = isInherited ? null : column.generated;
  return columnDefinition({ ...column, notNull: null, compression: null, identity: null, generated }, false);
}
