import type { MigrationRun } from './migration-runs';

/** Where the fleet stands. */
export interface FleetStatus {
  /** All tenants but the purged ones. */
  readonly tenants: number;
  /** How many lack migrations of the code. */
  readonly behind: number;
  /** What each migration of the code has reached, in their order. */
  readonly migrations: readonly MigrationReach[];
  /** The migrations of shared schemas, each of which runs once in the database. */
  readonly shared: readonly SharedMigrationReach[];
  /** What has failed or was left half done, the latest 100 of it. */
  readonly troubles: readonly MigrationTrouble[];
  /** How much of that there is in all. */
  readonly troubleCount: number;
  /** The run that works now, else the last one; `null`: there was none. */
  readonly lastRun: MigrationRun | null;
  /** What was edited after it ran, or is not in the code. */
  readonly warnings: readonly string[];
}

export interface MigrationReach {
  readonly name: string;
  /** Whether the template has seen it. */
  readonly template: boolean;
  /** How many tenants have seen it. */
  readonly tenants: number;
}

/** A migration of a shared schema. */
export interface SharedMigrationReach {
  readonly schema: string;
  readonly name: string;
  readonly done: boolean;
}

/** A migration that is not as it should be, in one tenant or in the template. */
export interface MigrationTrouble {
  /** `null`: in the template. */
  readonly tenantId: string | null;
  /** `null`: in the template, or in a tenant that the store does not know any more. */
  readonly slug: string | null;
  readonly migration: string;
  /**
   * `failed`: nothing of it was kept, and the next run tries again. `unfinished`: it says `transaction = false` and did not
   * end well, so a part of it may be there. No run touches it until `FleetMigrator.resolve()` says what to do.
   */
  readonly state: 'failed' | 'unfinished';
  readonly error: string | null;
  readonly statement: string | null;
  readonly runId: string | null;
  readonly at: Date;
}
