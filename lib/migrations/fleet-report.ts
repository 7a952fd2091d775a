import type { MigrationFailure } from './migration-ledger';
import type { RunDirection, RunState } from './migration-runs';

/** What a run did. Failures are listed one by one; of the rest only counts, so that it stays small for any fleet. */
export interface FleetReport {
  /** `null` when there was nothing to do: no run was recorded. */
  readonly runId: string | null;
  readonly direction: RunDirection;
  readonly state: Exclude<RunState, 'running' | 'abandoned'>;
  /** In the order in which they run. */
  readonly migrations: readonly string[];
  /** What shared schemas saw in this run, as `schema: name`. */
  readonly shared: readonly string[];
  /** What the template saw in this run. */
  readonly template: readonly string[];
  /** Tenants that were changed. */
  readonly done: number;
  /** Tenants that somebody else had brought there meanwhile. */
  readonly skipped: number;
  readonly failed: readonly MigrationFailure[];
  /** Tenants that are still behind, other than those that failed. */
  readonly notReached: number;
  /** Why it ended early, if it did. */
  readonly halted?: string;
  /** Migrations that were edited after they ran, or that the code does not know. */
  readonly warnings: readonly string[];
  readonly ms: number;
}

/** A report while it grows. */
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
