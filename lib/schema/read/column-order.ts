import { Births, type FamilyTable } from './births';

/** Columns to add to a table in one go. */
export interface Addition {
  readonly table: string;
  readonly columns: readonly string[];
  /** Only if the table must be made with them, at this moment: the names of what it inherits by then. */
  readonly born?: ReadonlySet<string>;
  /** Made without its parents, whose columns it has in another order, and put under them at once. */
  readonly adopted?: boolean;
}

/**
 * An order in which `ADD COLUMN`, which gives a column to the children as well, leads to every table's order of columns.
 * A column that a child declares too must be the child's before it comes from the parent, unless the child is made with
 * it. `undefined` when no order does, which hardly any history leads to.
 *
 * Taking whatever can be taken is enough: no addition makes another one impossible. What would come too early for a table
 * that is still to be made waits for it.
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

  /** Columns come one at a time, so as many as it holds are the first ones. */
  get next(): string | undefined {
    return this.order[this.held.size];
  }

  get isComplete(): boolean {
    return this.isBorn && this.next === undefined;
  }

  declares(column: string): boolean {
    return this.table.columns.get(column) === true;
  }

  /** Those that it holds and declares. */
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

  /** What it inherits, which comes first unless it declares all of it; `undefined` when its columns stand in no such order. */
  beBorn(family: readonly Growing[]): ReadonlySet<string> | undefined {
    const inherited = new Set(this.parents(family).flatMap((parent) => [...parent.held]));
    const firsts = this.order.slice(0, this.births.columnsOf(this.table));
    const own = this.beginsWith(inherited) ? firsts.slice(inherited.size) : firsts;
    if (!own.every((column) => this.declares(column))) return undefined;
    firsts.forEach((column) => this.held.add(column));
    this.isBorn = true;
    return inherited;
  }

  /** Whether the column may come to it from a parent, and so to those that are made from it later. */
  accepts(column: string, family: readonly Growing[]): boolean {
    if (this.held.has(column)) return true;
    return this.next === column && !this.declares(column) && this.mayPassOn(column, family);
  }

  /** No child that is not made yet would get the column too early. */
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

/** Those that are made by now. */
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
