import type { HammerLedger } from './hammer-ledger';
import type { SeededRandom } from './seeded-random';

/** How the hammer names a tenant: by a text of yours, or by whatever has a slug. */
export type HammerTenant = string | { readonly slug: string };

/** One operation's own view of the hammer: who it works for, and where it tells what it did and saw. */
export class HammerCall<T extends HammerTenant> {
  /** A text that names its tenant, to be written. No other call has it: at most 40 characters of `[a-z0-9-]`. */
  readonly mark: string;

  constructor(
    /** Who the operation works for. */
    readonly tenant: T,
    /** Another one, for operations that work for two. */
    readonly other: T,
    /** What is to be random should be drawn from here. */
    readonly random: SeededRandom,
    private readonly tenants: readonly T[],
    private readonly ledger: HammerLedger,
    /** Done by `prepare`, which has to succeed: nothing may be disturbed yet. */
    readonly preparing = false,
  ) {
    this.mark = this.newMark();
  }

  /** One more mark, for operations that write more than one row. */
  newMark(tenant: T = this.tenant): string {
    return this.ledger.issue(this.tenants.indexOf(tenant));
  }

  /** The write of a mark was acknowledged: it must be there at the end. */
  keep(mark = this.mark): void {
    this.ledger.keep(mark);
  }

  /** A mark is to be found nowhere at the end. Say so before you write it. */
  drop(mark = this.mark): void {
    this.ledger.drop(mark);
  }

  /** Looks for marks of others in what was read: anything made of texts. What an operation resolves with is looked at anyway. */
  see(value: unknown, how: string, tenant: T = this.tenant): void {
    this.ledger.see(this.tenants.indexOf(tenant), value, how);
  }

  /** Something was answered that must not be, such as a request for a suspended tenant. Counts as a wrong read. */
  wrong(finding: string): void {
    this.ledger.wrongRead(`${nameOf(this.tenant)}: ${finding}`);
  }
}

export function nameOf(tenant: HammerTenant): string {
  return typeof tenant === 'string' ? tenant : tenant.slug;
}
