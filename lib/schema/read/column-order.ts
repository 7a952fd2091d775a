/** A table of a family that inherits columns from one another. */
export interface FamilyTable {
  readonly name: string;
  /** Names of the tables whose columns it gets whenever they get one. */
  readonly parents: readonly string[];
  /** Names in order, and whether the table declares the column itself. */
  readonly columns: ReadonlyMap<string, boolean>;
}

/** Columns to add to a table in one go. */
export interface Addition {
  readonly table: string;
  readonly columns: readonly string[];
}

/**
 * An order in which `ADD COLUMN`, which gives a column to the children as well, leads to every table's order of columns.
 * A column that a child declares too must be the child's before it comes from the parent. `undefined` when no order
 * does, which hardly any history leads to.
 *
 * Taking whatever can be taken is enough: no addition makes another one impossible.
 */
export function orderAdditions(family: readonly FamilyTable[]): Addition[] | undefined {
  const state = family.map((table) => new Growing(table));
  const descendants = new Map(state.map((table) => [table, descendantsOf(table, state)]));
  const additions: Addition[] = [];
  for (let progress = true; progress;) {
    progress = false;
    for (const table of state) {
      const columns = takeAll(table, descendants.get(table) ?? []);
      if (columns.length === 0) continue;
      additions.push({ table: table.name, columns });
      progress = true;
    }
  }
  return state.every((table) => table.isComplete) ? additions : undefined;
}

class Growing {
  readonly name: string;
  readonly parents: readonly string[];
  private readonly order: readonly string[];
  private readonly held = new Set<string>();

  constructor(private readonly table: FamilyTable) {
    this.name = table.name;
    this.parents = table.parents;
    this.order = [...table.columns.keys()];
  }

  /** Columns come one at a time, so as many as it holds are the first ones. */
  get next(): string | undefined {
    return this.order[this.held.size];
  }

  get isComplete(): boolean {
    return this.next === undefined;
  }

  declares(column: string): boolean {
    return this.table.columns.get(column) === true;
  }

  accepts(column: string): boolean {
    return this.held.has(column) || (this.next === column && !this.declares(column));
  }

  add(column: string): void {
    this.held.add(column);
  }
}

function takeAll(table: Growing, descendants: readonly Growing[]): string[] {
  const taken: string[] = [];
  for (;;) {
    const column = table.next;
    if (column === undefined || !table.declares(column)) return taken;
    if (!descendants.every((child) => child.accepts(column))) return taken;
    [table, ...descendants].forEach((receiver) => receiver.add(column));
    taken.push(column);
  }
}

function descendantsOf(table: Growing, family: readonly Growing[]): Growing[] {
  const found = new Set<Growing>();
  const visit = (parent: Growing) => {
    for (const child of family) {
      if (!child.parents.includes(parent.name) || found.has(child)) continue;
      found.add(child);
      visit(child);
    }
  };
  visit(table);
  return [...found];
}
