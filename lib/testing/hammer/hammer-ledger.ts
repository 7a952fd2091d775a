import { Stamps } from './row-stamps';

/** Enough to see what went wrong. The counters count all of them. */
const MAX_FINDINGS = 20;

/** Records what must be found at the end of a run, and what went wrong. */
export class HammerLedger {
  readonly #stamps = new Stamps();
  /** Writes that were acknowledged. */
  readonly #kept = new Map<number, Set<number>>();
  /** Writes that were rolled back or refused, and must not be found. */
  readonly #dropped = new Set<number>();
  readonly findings: string[] = [];
  /** Resolves at the first finding. */
  readonly found: Promise<void>;
  #tellFound!: () => void;
  wrongReads = 0;
  wrongWrites = 0;
  lostWrites = 0;
  rowsChecked = 0;
  hangs = 0;

  /** Tenants are identified by their place in this list. */
  constructor(
    private readonly names: readonly string[],
    private readonly onFinding: (finding: string) => void = () => undefined,
  ) {
    this.found = new Promise((resolve) => (this.#tellFound = resolve));
  }

  issue(tenant: number): string {
    return this.#stamps.issue(tenant);
  }

  keep(stamp: string): void {
    for (const { tenant, number } of this.#stamps.in(stamp)) {
      const kept = this.#kept.get(tenant) ?? new Set();
      this.#kept.set(tenant, kept.add(number));
    }
  }

  drop(stamp: string): void {
    for (const { number } of this.#stamps.in(stamp)) this.#dropped.add(number);
  }

  /** A value read for a tenant must not contain a stamp of another one. */
  see(reader: number, value: unknown, how: string): void {
    for (const { tenant } of this.#stamps.in(value)) {
      this.rowsChecked++;
      if (tenant !== reader)
        this.wrongRead(`${this.names[reader]} read a row of ${this.names[tenant]} (${how})`);
    }
  }

  wrongRead(finding: string): void {
    this.wrongReads++;
    this.#note(finding);
  }

  hang(operation: string): void {
    this.hangs++;
    this.#note(`${operation} did not end`);
  }

  /**
   * Checks all rows of a tenant at the end. Each element of a list is a row, and a stamp must not be in two of them.
   */
  checkAll(owner: number, value: unknown): void {
    const found = new Set<number>();
    for (const row of Array.isArray(value) ? (value as unknown[]) : [value]) {
      for (const { tenant, number } of uniqueStamps(this.#stamps.in(row))) {
        this.rowsChecked++;
        const problem =
          tenant !== owner
            ? `${this.names[tenant]} wrote`
            : found.has(number)
              ? 'was written twice'
              : this.#dropped.has(number) && 'was rolled back or refused';
        found.add(number);
        if (problem) this.#wrongWrite(`${this.names[owner]} has a row that ${problem} (${number})`);
      }
    }
    for (const number of this.#kept.get(owner) ?? []) {
      if (!found.has(number))
        this.#lostWrite(`write ${number} of ${this.names[owner]} was acknowledged and is lost`);
    }
  }

  #wrongWrite(finding: string): void {
    this.wrongWrites++;
    this.#note(finding);
  }

  #lostWrite(finding: string): void {
    this.lostWrites++;
    this.#note(finding);
  }

  #note(finding: string): void {
    if (this.findings.length < MAX_FINDINGS) {
      this.findings.push(finding);
      this.onFinding(finding);
    }
    this.#tellFound();
  }
}

function uniqueStamps<Stamp extends { readonly number: number }>(stamps: readonly Stamp[]): Stamp[] {
  return [...new Map(stamps.map((stamp) => [stamp.number, stamp])).values()];
}
