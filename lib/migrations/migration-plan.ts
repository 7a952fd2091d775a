/** What `FleetMigrator.up()` would do. */
export interface MigrationPlan {
  /** Migrations that shared schemas lack. They run first, once in the database. */
  readonly shared: readonly PlannedSharedMigration[];
  /** Migrations that the template or a tenant lacks, in the order in which they would run. Empty: nothing to do. */
  readonly migrations: readonly PlannedMigration[];
  /** As in a report: migrations that were edited after they ran, or that the code does not have. */
  readonly warnings: readonly string[];
}

/** The SQL of a migration, as far as a trial run can tell it. */
export interface Rehearsal {
  /** The statements that ran on a copy of the structure without rows, which was rolled back; `null`: see `note`. */
  readonly sql: readonly string[] | null;
  /** Why there is no SQL, or only a part of it. */
  readonly note?: string;
  /**
   * Problems that are already known, each with its remedy: the trial failed, or names lead out of the tenant's schema.
   */
  readonly problems: readonly string[];
}

export interface PlannedSharedMigration extends Rehearsal {
  readonly schema: string;
  readonly name: string;
}

export interface PlannedMigration extends Rehearsal {
  readonly name: string;
  /** False for a migration with `transaction = false`: it runs in a session of its own, and may be left half done. */
  readonly transaction: boolean;
  /** Whether the template lacks it. */
  readonly template: boolean;
  /** How many tenants lack it. */
  readonly tenants: number;
}
