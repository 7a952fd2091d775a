/** What the hammer knows must be in the tables at its end, and what it has seen go wrong. */
export class Ledger {
  /** Writes that were acknowledged, by tenant. */
  readonly #acknowledged = new Map<string, Set<string>>();
  /** Writes that were rolled back or refused, by tenant: to be found nowhere. */
  readonly #forbidden = new Map<string, Set<string>>();
  readonly wrong: string[] = [];
  /** Resolves at the first finding. */
  readonly found: Promise<void>;
  #tellFound!: () => void;
  wrongReads = 0;
  wrongWrites = 0;
  lostWrites = 0;
  rowsChecked = 0;
  faults = 0;
  hangs = 0;

  constructor() {
    this.found = new Promise((resolve) => (this.#tellFound = resolve));
  }

  acknowledge(tenant: string, write: string): void {
    entry(this.#acknowledged, tenant).add(write);
  }

  forbid(tenant: string, write: string): void {
    entry(this.#forbidden, tenant).add(write);
  }

  /** Rows that were read for a tenant must be stamped with it. */
  checkRows(tenant: string, rows: readonly { readonly owner: string }[], how: string): void {
    for (const { owner } of rows) {
      this.rowsChecked++;
      if (owner === tenant) continue;
      this.wrongReads++;
      this.#note(`${tenant} read a row of ${owner} (${how})`);
    }
  }

  /** The rows of a tenant's tables, read from outside when all is over. */
  checkTable(tenant: string, rows: readonly { readonly owner: string; readonly write: string }[]): void {
    const found = new Set<string>();
    for (const { owner, write } of rows) {
      this.rowsChecked++;
      const duplicate = found.has(write);
      found.add(write);
      if (owner === tenant && !duplicate && !this.#forbidden.get(tenant)?.has(write)) continue;
      this.wrongWrites++;
      this.#note(`${write} of ${owner} is in the table of ${tenant}, though it should not be`);
    }
    for (const write of this.#acknowledged.get(tenant) ?? []) {
      if (found.has(write)) continue;
      this.lostWrites++;
      this.#note(`${write} of ${tenant} was acknowledged and is lost`);
    }
  }

  hang(operation: string): void {
    this.hangs++;
    this.#note(`${operation} did not end`);
  }

  #note(finding: string): void {
    if (this.wrong.length < 20) this.wrong.push(finding);
    this.#tellFound();
  }
}

function entry(map: Map<string, Set<string>>, key: string): Set<string> {
  const set = map.get(key) ?? new Set<string>();
  map.set(key, set);
  return set;
}
