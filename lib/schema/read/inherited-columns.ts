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

/** How a table gets every column in its place, and as declared by itself, inherited, or both. */
export interface Making {
  readonly create: readonly string[];
  /** Run when all tables of the family exist, and first for its children. */
  readonly join: readonly string[];
  /** Run when all tables of the family have joined. */
  readonly finish: readonly string[];
}

/**
 * PostgreSQL puts inherited columns first, and a table may still have others before them, because it grew with its
 * parents or came under them later. Such a table is made under a stand-in, an empty table with the same columns in the
 * same order. Then it joins its parents, and at last it leaves the stand-in: a column that another parent has stays
 * inherited, and INHERIT finds columns by their names, wherever they stand.
 */
export function makingOf(member: Member, standIn: string): Making {
  const { table, quoted, columns, parents } = member;
  const declared = columns.filter(({ local }) => local);
  if (canStartUnderParents(member)) {
    const inherited = new Set(parents.flatMap((parent) => namesOf(parent.columns)));
    return {
      create: [
        createTable(
          table,
          declared.map((column) => define(column, inherited.has(column.name))),
        ),
      ],
      join: [],
      finish: [],
    };
  }
  const late = lateColumns(member);
  const early = columns.filter((column) => !late.includes(column));
  const add = (column: Column) =>
    `ALTER TABLE ${column.local ? quoted : standIn} ADD COLUMN ${define(column)}`;
  const join = [
    ...late.map(add),
    ...parents.map((parent) => `ALTER TABLE ONLY ${quoted} INHERIT ${parent.quoted}`),
  ];
  const all = early.map((column) => define(column));
  if (declared.length === columns.length) {
    return { create: [createTable({ ...table, parents: [] }, all)], join, finish: [] };
  }
  const again = early.filter(({ local }) => local).map((column) => define(column, true));
  return {
    create: [
      `CREATE TABLE ${standIn} (${all.join(', ')})`,
      createTable({ ...table, parents: [standIn] }, again),
    ],
    join,
    finish: [`ALTER TABLE ${quoted} NO INHERIT ${standIn}`, `DROP TABLE ${standIn}`],
  };
}

/** Whether CREATE TABLE … INHERITS gives its columns: first those of its parents, then its own. */
function canStartUnderParents(member: Member): boolean {
  const { columns, parents } = member;
  const inherited = [...new Set(parents.flatMap((parent) => namesOf(parent.columns)))];
  return (
    [member, ...parents].every((each) => lateColumns(each).length === 0) &&
    inherited.every((name, place) => columns[place].name === name) &&
    columns.slice(inherited.length).every(({ local }) => local) &&
    parents.every((parent) => parent.columns.every((column) => isComputedAlike(column, member)))
  );
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

/**
 * Defaults and the like come later. Where the column is also inherited, PostgreSQL 15 accepts no expression, not even
 * an equal one.
 */
function define(column: Column, isInherited = false): string {
  const generated = isInherited ? null : column.generated;
  return columnDefinition({ ...column, notNull: null, compression: null, identity: null, generated }, false);
}
