/** One of several tables that inherit columns from one another. */
export interface FamilyTable {
  readonly name: string;
  /** Names of the tables that it inherits from: a column added to one of them is added to this table, too. */
  readonly parents: readonly string[];
  /** Names in order, and whether the table declares the column itself. */
  readonly columns: ReadonlyMap<string, boolean>;
  /** For a generated column, the columns that it is computed from. Default: no column is generated. */
  readonly sources?: ReadonlyMap<string, readonly string[]>;
}

/**
 * How many columns each of these tables must have from the start, in `CREATE TABLE`. `ADD COLUMN` cannot put a
 * generated column before the columns that it is computed from, so all of these come with `CREATE TABLE`. The columns
 * before them must come then, too, in the table itself, in its children and in its parents.
 */
export class Births {
  private readonly counts: Map<FamilyTable, number>;

  /** `ofTwo`: a table with two parents starts with the columns that the parents have by then, in its own order. */
  constructor(family: readonly FamilyTable[], { ofTwo = false } = {}) {
    this.counts = new Map(
      family.map((table) => [
        table,
        endOf(table, [...ownBirth(table), ...(ofTwo ? inheritedBirth(table, family) : [])]),
      ]),
    );
    for (let progress = true; progress;) {
      progress = false;
      for (const child of family) {
        for (const parent of family.filter(({ name }) => child.parents.includes(name))) {
          const inherited = namesOf(parent).slice(0, this.columnsBefore(parent, child));
          const count = endOf(child, inherited);
          if (count <= this.columnsOf(child)) continue;
          this.counts.set(child, count);
          progress = true;
        }
      }
    }
  }

  /** How many columns the table starts with, inherited ones included. */
  columnsOf(table: FamilyTable): number {
    return this.counts.get(table) ?? 0;
  }

  /**
   * How many columns the parent must have when the child is made. The columns that a child inherits come first. So if
   * it declares one of them as well, and one that it only inherits comes later, the parent must have both by then.
   */
  columnsBefore(parent: FamilyTable, child: FamilyTable): number {
    const firsts = namesOf(child).slice(0, this.columnsOf(child));
    const last = firsts.findLastIndex((name) => child.columns.get(name) === false);
    const inherited = firsts.slice(0, last + 1).filter((name) => parent.columns.has(name));
    return Math.max(this.columnsOf(parent), endOf(parent, inherited));
  }
}

/** The columns that generated columns of the table are computed from, and that stand after these. */
function ownBirth(table: FamilyTable): string[] {
  const names = namesOf(table);
  return names
    .filter((name) => table.columns.get(name) === true)
    .flatMap((name) =>
      (table.sources?.get(name) ?? []).filter((source) => names.indexOf(source) > names.indexOf(name)),
    );
}

/** The columns before the first one that none of its parents has. */
function inheritedBirth({ parents, columns }: FamilyTable, family: readonly FamilyTable[]): string[] {
  if (parents.length < 2) return [];
  const above = family.filter(({ name }) => parents.includes(name));
  const names = [...columns.keys()];
  const own = names.findIndex((name) => !above.some((parent) => parent.columns.has(name)));
  return own === -1 ? names : names.slice(0, own);
}

/** How many columns a table has up to the last of `columns`. */
function endOf(table: FamilyTable, columns: readonly string[]): number {
  const names = namesOf(table);
  return Math.max(0, ...columns.map((column) => names.indexOf(column) + 1));
}

function namesOf({ columns }: FamilyTable): string[] {
  return [...columns.keys()];
}
