import { Births, type FamilyTable } from './births';

/** Columns to add to a table with one statement. */
export interface Addition {
  readonly table: string;
  readonly columns: readonly string[];
  /** Set when the table is made by this addition: the names of the columns that it inherits at that moment. */
  readonly born?: ReadonlySet<string>;
  /**
   * The table is made without its parents, because it has their columns in another order, and then set to inherit from
   * them.
   */
  readonly adopted?: boolean;
}

/**
 * An order of additions that gives every table its order of columns. `ADD COLUMN` gives a column to the children, too.
 * A column that a child also declares must therefore be added to the child before its parent, unless the child is made
 * with it. `undefined` when there is no such order, which hardly any history of tables leads to.
 *
 * It is enough to take any addition that is possible, because no addition makes another one impossible. Those that
 * would come too early for a table that is not made yet wait for it.
 */
export function orderAdditions(family: readonly FamilyTable[]): Addition[] | undefined {
  return orderFor(family, new Births(family)) ?? orderFor(family, new Births(family, { ofTwo: true }));
}

function orderFor(family: readonly FamilyTable[], births: Births): Addition[] | undefined {
  const state = family.map((table) => new Growing(table, births));
  const additions: Addition[] = [];
  for (let progress = true; progress;) {
    progress = false;
    for (const table of state) {
      const isNew = table.canBeBorn(state);
      const born = isNew ? table.beBorn(state) : undefined;
      if (isNew && !born) return undefined;
      const adopted = born !== undefined && !table.beginsWith(born);
      const columns = [...(born ? table.declared() : []), ...takeAll(table, state)];
      if (columns.length === 0 && !born) continue;
      additions.push({ table: table.name, columns, ...(born && { born }), ...(adopted && { adopted }) });
      progress = true;
    }
  }
  return state.every((table) => table.isComplete) ? additions : undefined;
}

class Growing {
  readonly name: string;
  isBorn: boolean;
  private readonly order: readonly string[];
  private readonly held = new Set<string>();

  constructor(
    private readonly table: FamilyTable,
    private readonly births: Births,
  ) {
    this.name = table.name;
    this.order = [...table.columns.keys()];
    this.isBorn = births.columnsOf(table) === 0;
  }

  /** The next column to add. They are added one at a time, so those that it has are the first ones of its order. */
  get next(): string | undefined {
    return this.order[this.held.size];
  }

  get isComplete(): boolean {
    return this.isBorn && this.next === undefined;
  }

  declares(column: string): boolean {
    return this.table.columns.get(column) === true;
  }

  /** The columns that it has and declares itself. */
  declared(): string[] {
    return [...this.held].filter((column) => this.declares(column));
  }

  parents(family: readonly Growing[]): Growing[] {
    return this.table.parents.flatMap((parent) => family.filter(({ name }) => name === parent));
  }

  canBeBorn(family: readonly Growing[]): boolean {
    return (
      !this.isBorn &&
      this.parents(family).every(
        (parent) => parent.isBorn && parent.held.size === this.births.columnsBefore(parent.table, this.table),
      )
    );
  }

  beginsWith(inherited: ReadonlySet<string>): boolean {
    return [...inherited].every((column, place) => column === this.order[place]);
  }

  /**
   * Makes the table. Returns what it inherits, which comes first unless the table declares all of it. `undefined` when
   * its order of columns is not possible.
   */
  beBorn(family: readonly Growing[]): ReadonlySet<string> | undefined {
    const inherited = new Set(this.parents(family).flatMap((parent) => [...parent.held]));
    const firsts = this.order.slice(0, this.births.columnsOf(this.table));
    const own = this.beginsWith(inherited) ? firsts.slice(inherited.size) : firsts;
    if (!own.every((column) => this.declares(column))) return undefined;
    firsts.forEach((column) => this.held.add(column));
    this.isBorn = true;
    return inherited;
  }

  /** Whether the column may be added to it by a parent, and so to its own children later. */
  accepts(column: string, family: readonly Growing[]): boolean {
    if (this.held.has(column)) return true;
    return this.next === column && !this.declares(column) && this.mayPassOn(column, family);
  }

  /** Whether no child that is not made yet would get the column too early. */
  mayPassOn(column: string, family: readonly Growing[]): boolean {
    const place = this.order.indexOf(column);
    return family.every(
      (child) =>
        child.isBorn ||
        !child.table.parents.includes(this.name) ||
        place < this.births.columnsBefore(this.table, child.table),
    );
  }

  add(column: string): void {
    this.held.add(column);
  }
}

function takeAll(table: Growing, family: readonly Growing[]): string[] {
  const taken: string[] = [];
  if (!table.isBorn) return taken;
  const heirs = descendantsOf(table, family);
  for (;;) {
    const column = table.next;
    if (column === undefined || !table.declares(column) || !table.mayPassOn(column, family)) return taken;
    if (!heirs.every((heir) => heir.accepts(column, family))) return taken;
    [table, ...heirs].forEach((receiver) => receiver.add(column));
    taken.push(column);
  }
}

/** The tables that inherit from it and are made by now. */
function descendantsOf(table: Growing, family: readonly Growing[]): Growing[] {
  const found = new Set<Growing>();
  const visit = (parent: Growing) => {
    for (const child of family) {
      if (!child.isBorn || !child.parents(family).includes(parent) || found.has(child)) continue;
      found.add(child);
      visit(child);
    }
  };
  visit(table);
  return [...found];
}
