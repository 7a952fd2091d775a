/** A table of a family that inherits columns from one another. */
export interface FamilyTable {
  readonly name: string;
  /** Names of the tables whose columns it gets whenever they get one. */
  readonly parents: readonly string[];
  /** Names in order, and whether the table declares the column itself. */
  readonly columns: ReadonlyMap<string, boolean>;
  /** The columns that a generated one is computed from. Default none is generated. */
  readonly sources?: ReadonlyMap<string, readonly string[]>;
}

/**
 * How many columns tables that inherit from one another must be made with. `ADD COLUMN` takes no generated column before
 * those that it is computed from, so these come together, with `CREATE TABLE`; and with them whatever stands before them,
 * in the table, in those that inherit from it, and in those that it inherits from.
 */
export class Births {
  private readonly counts: Map<FamilyTable, number>;

  /** `ofTwo`: a table with two parents is made with what they have by then, in their order. */
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

  /** What it inherits by then is among them. */
  columnsOf(table: FamilyTable): number {
    return this.counts.get(table) ?? 0;
  }

  /**
   * How many the parent has by the time that the child is made. What the child inherits comes first, so a column that it
   * declares as well, before the last one that it does not, is one of the parent's by then.
   */
  columnsBefore(parent: FamilyTable, child: FamilyTable): number {
    const firsts = namesOf(child).slice(0, this.columnsOf(child));
    const last = firsts.findLastIndex((name) => child.columns.get(name) === false);
    const inherited = firsts.slice(0, last + 1).filter((name) => parent.columns.has(name));
    return Math.max(this.columnsOf(parent), endOf(parent, inherited));
  }
}

/** Columns that a generated one of the table's own stands before. */
function ownBirth(table: FamilyTable): string[] {
  const names = namesOf(table);
  return names
    .filter((name) => table.columns.get(name) === true)
    .flatMap((name) =>
      (table.sources?.get(name) ?? []).filter((source) => names.indexOf(source) > names.indexOf(name)),
    );
}

/** What stands before the first column that is the table's alone. */
function inheritedBirth({ parents, columns }: FamilyTable, family: readonly FamilyTable[]): string[] {
  if (parents.length < 2) return [];
  const above = family.filter(({ name }) => parents.includes(name));
  const names = [...columns.keys()];
  const own = names.findIndex((name) => !above.some((parent) => parent.columns.has(name)));
  return own === -1 ? names : names.slice(0, own);
}

/** How many columns a table has up to the last of those. */
function endOf(table: FamilyTable, columns: readonly string[]): number {
  const names = namesOf(table);
  return Math.max(0, ...columns.map((column) => names.indexOf(column) + 1));
}

function namesOf({ columns }: FamilyTable): string[] {
  return [...columns.keys()];
}
