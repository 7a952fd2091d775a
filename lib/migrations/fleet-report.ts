import type { MigrationFailure } from './migration-ledger';
import type { RunDirection, RunState } from './migration-runs';

/** What a run did. Failures are listed; everything else is counted, so that the report stays small for any fleet. */
export interface FleetReport {
  /** `null` when there was nothing to do, so no run was recorded. */
  readonly runId: string | null;
  readonly direction: RunDirection;
  readonly state: Exclude<RunState, 'running' | 'abandoned'>;
  /** In the order in which they were run. */
  readonly migrations: readonly string[];
  /** Migrations that this run applied to shared schemas, as `schema: name`. */
  readonly shared: readonly string[];
  /** Migrations that this run applied to the template, or reverted there. */
  readonly template: readonly string[];
  /** Tenants that were changed. */
  readonly done: number;
  /** Tenants that another run had already migrated. */
  readonly skipped: number;
  readonly failed: readonly MigrationFailure[];
  /** Tenants that still lack a migration, without those that failed. */
  readonly notReached: number;
  /** Why the run ended early, if it did. */
  readonly halted?: string;
  /** Migrations that were edited after they ran, or that the code does not have. */
  readonly warnings: readonly string[];
  readonly ms: number;
}

/** A report that is being filled. */
export class FleetTally {
  done = 0;
  skipped = 0;
  readonly failed: MigrationFailure[] = [];
  halted: string | undefined;
  /** Tenants that are not tried again in this run. */
  readonly settled = new Set<string>();

  get finished(): number {
    return this.done + this.skipped + this.failed.length;
  }

  halt(why: string): void {
    this.halted ??= why;
  }

  get state(): FleetReport['state'] {
    if (this.halted !== undefined) return 'halted';
    return this.failed.length > 0 ? 'failed' : 'done';
  }
}
