import type { HammerLedger } from './hammer-ledger';
import type { SeededRandom } from './seeded-random';

/** A tenant of the hammer: a text of your choice, or an object with a slug. */
export type HammerTenant = string | { readonly slug: string };

/**
 * The parameter of an operation: its tenant, its random numbers, and the methods by which it reports what it did and
 * saw.
 */
export class HammerCall<T extends HammerTenant> {
  /**
   * A text for the row that it writes, which identifies its tenant: at most 40 characters of `[a-z0-9-]`. No other call
   * has it.
   */
  readonly stamp: string;

  constructor(
    /** The tenant for whom it works. */
    readonly tenant: T,
    /** Another tenant, for operations that work for two. */
    readonly other: T,
    /** The source of random numbers, so that a run can be repeated with its seed. */
    readonly random: SeededRandom,
    private readonly tenants: readonly T[],
    private readonly ledger: HammerLedger,
    /** Whether `prepare` is running. It must succeed, so nothing is disturbed yet. */
    readonly preparing = false,
  ) {
    this.stamp = this.newStamp();
  }

  /** Another stamp, for operations that write several rows. */
  newStamp(tenant: T = this.tenant): string {
    return this.ledger.issue(this.tenants.indexOf(tenant));
  }

  /** Call it when the write of a stamp was acknowledged: the stamp must be there at the end. */
  keep(stamp = this.stamp): void {
    this.ledger.keep(stamp);
  }

  /** Call it before a write that must have no effect: the stamp must be nowhere at the end. */
  drop(stamp = this.stamp): void {
    this.ledger.drop(stamp);
  }

  /**
   * Looks for other tenants' stamps in a value that was read, whatever it is made of. The operation's result is
   * examined anyway.
   */
  see(value: unknown, how: string, tenant: T = this.tenant): void {
    this.ledger.see(this.tenants.indexOf(tenant), value, how);
  }

  /** Reports an answer that must not happen, such as one for a suspended tenant. It counts as a wrong read. */
  wrong(finding: string): void {
    this.ledger.wrongRead(`${nameOf(this.tenant)}: ${finding}`);
  }
}

export function nameOf(tenant: HammerTenant): string {
  return typeof tenant === 'string' ? tenant : tenant.slug;
}
