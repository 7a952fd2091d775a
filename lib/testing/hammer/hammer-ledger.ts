import { Marks } from './row-marks';

/** Enough to see what went wrong; the counters have all. */
const MAX_FINDINGS = 20;

/** What the hammer knows must be found at its end, and what it has seen go wrong. */
export class HammerLedger {
  readonly #marks = new Marks();
  /** Of writes that were acknowledged. */
  readonly #kept = new Map<number, Set<number>>();
  /** Of writes that were rolled back or refused: to be found nowhere. */
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

  /** Tenants go by their place in this list. */
  constructor(private readonly names: readonly string[]) {
    this.found = new Promise((resolve) => (this.#tellFound = resolve));
  }

  issue(tenant: number): string {
    return this.#marks.issue(tenant);
  }

  keep(mark: string): void {
    for (const { tenant, number } of this.#marks.in(mark)) {
      const kept = this.#kept.get(tenant) ?? new Set();
      this.#kept.set(tenant, kept.add(number));
    }
  }

  drop(mark: string): void {
    for (const { number } of this.#marks.in(mark)) this.#dropped.add(number);
  }

  /** Whatever was read for a tenant carries no other's mark. */
  see(reader: number, value: unknown, how: string): void {
    for (const { tenant } of this.#marks.in(value)) {
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

  /** All that a tenant has when all is over. In a list, each element is a row: no mark is in two of them. */
  checkAll(owner: number, value: unknown): void {
    const found = new Set<number>();
    for (const row of Array.isArray(value) ? (value as unknown[]) : [value]) {
      for (const { tenant, number } of uniqueMarks(this.#marks.in(row))) {
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
    if (this.findings.length < MAX_FINDINGS) this.findings.push(finding);
    this.#tellFound();
  }
}

function uniqueMarks<Mark extends { readonly number: number }>(marks: readonly Mark[]): Mark[] {
  return [...new Map(marks.map((mark) => [mark.number, mark])).values()];
}
