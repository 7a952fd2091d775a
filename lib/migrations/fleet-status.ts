import type { MigrationRun } from './migration-runs';

/** The state of the fleet, on all servers together. */
export interface FleetStatus {
  /** All tenants except purged ones. */
  readonly tenants: number;
  /** How many lack migrations of the code, with all tenants of servers that could not be asked. */
  readonly behind: number;
  /** How far each migration of the code has come, in their order. */
  readonly migrations: readonly MigrationReach[];
  /** The migrations of shared schemas, each of which runs once in a database. */
  readonly shared: readonly SharedMigrationReach[];
  /** Migrations that failed or did not end, the latest 100. */
  readonly troubles: readonly MigrationTrouble[];
  /** How many of them there are in all. */
  readonly troubleCount: number;
  /** The run that is working, else the last one; `null` when there was none. */
  readonly lastRun: MigrationRun | null;
  /** Servers that could not be asked. Migrations that were edited after they ran, or that the code does not have. */
  readonly warnings: readonly string[];
}

export interface MigrationReach {
  readonly name: string;
  /** Whether the template has it, on every server. */
  readonly template: boolean;
  /** The servers whose template lacks it, of those that could be asked. */
  readonly lackedBy: readonly string[];
  /** How many tenants have it. */
  readonly tenants: number;
}

/** A migration of a shared schema. */
export interface SharedMigrationReach {
  readonly schema: string;
  readonly name: string;
  /** On every server. */
  readonly done: boolean;
}

/** A migration that failed or did not end, in one tenant or in the template. */
export interface MigrationTrouble {
  /** `null` for the template. */
  readonly tenantId: string | null;
  /** `null` for the template, and for a tenant that the store no longer has. */
  readonly slug: string | null;
  /** Left out on the server that has the registry. */
  readonly server?: string;
  readonly migration: string;
  /**
   * `failed`: nothing of it was kept, and the next run tries it again. `unfinished`: it has `transaction = false` and
   * did not end, so a part of it may have been applied. No run touches it until `FleetMigrator.resolve()` tells the
   * outcome.
   */
  readonly state: 'failed' | 'unfinished';
  readonly error: string | null;
  readonly statement: string | null;
  readonly runId: string | null;
  readonly at: Date;
}
