import { anything, callback, isText, listOf } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import type { DifferenceKind } from '../schema/structure-differences';

export class DriftOptions {
  /** Ids or slugs of the tenants to compare. Default all, whatever their status. */
  @Option(listOf<string>('give a list of ids or slugs', isText))
  readonly tenants?: readonly string[];

  /** How many sessions compare at once, an integer from 1 to 1,000; they are not taken from the tenants' pool. Default 2. */
  @Option(anything<number>())
  readonly concurrency?: number;

  /** How many of the tenants that differ are listed, an integer from 0. Default 100; all are counted. */
  @Option(anything<number>())
  readonly limit?: number;

  /** Called after each group of tenants, for a progress bar. */
  @Option(callback<(checked: number) => void>('give a function'))
  readonly onProgress?: (checked: number) => void;
}

export class RepairOptions extends DriftOptions {
  /** How long a statement waits for a lock, in milliseconds from 1. Default 5,000. */
  @Option(anything<number>())
  readonly lockTimeoutMs?: number;
}

/** How the tenants' schemas differ from the template. */
export interface DriftReport {
  readonly checked: number;
  /** How many of them differ; after a repair, how many still do. */
  readonly drifted: number;
  /** How many were changed by this repair. */
  readonly repaired: number;
  /** The first tenants that differ or were repaired, in the order of their creation. */
  readonly tenants: readonly TenantDrift[];
  /** Why the check ended early, if it did. The report contains what was found until then. */
  readonly halted?: string;
  readonly ms: number;
}

export interface TenantDrift {
  readonly tenantId: string;
  readonly slug: string;
  readonly schemaName: string;
  /** Migrations that the template has and this tenant lacks. Run them before any repair: `FleetMigrator.up()`. */
  readonly pending: readonly string[];
  /** The differences that remain. */
  readonly differences: readonly DriftDifference[];
  /** The SQL that a repair has run, in its order. */
  readonly repaired: readonly string[];
  /** Why the repair failed, if it did. Nothing of it was kept. */
  readonly error?: string;
}

export interface DriftDifference {
  /** Kind and name: `column orders.place`. */
  readonly object: string;
  readonly kind: DifferenceKind;
  /** `The index orders_place_idx is missing.` */
  readonly sentences: readonly string[];
  /**
   * SQL that removes the difference, with names for a session whose search path is the tenant's; `null` when a person
   * must decide.
   */
  readonly repair: readonly string[] | null;
  /** Whether `repair()` runs it: it creates or alters objects, and never drops one that may hold data. */
  readonly isSafe: boolean;
}

/** A report that is being filled. */
export class DriftTally {
  checked = 0;
  drifted = 0;
  repaired = 0;
  readonly #tenants: TenantDrift[] = [];

  constructor(private readonly limit: number) {}

  add(tenant: TenantDrift): void {
    if (tenant.differences.length > 0) this.drifted++;
    if (tenant.repaired.length > 0) this.repaired++;
    if (this.#tenants.length < this.limit) this.#tenants.push(tenant);
  }

  report(ms: number, halted?: string): DriftReport {
    const { checked, drifted, repaired } = this;
    const tenants = this.#tenants.sort((a, b) => (a.tenantId < b.tenantId ? -1 : 1));
    return {
      checked,
      drifted,
      repaired,
      tenants,
      ...(halted !== undefined && { halted }),
      ms: Math.round(ms),
    };
  }
}
