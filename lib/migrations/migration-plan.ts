/** What `FleetMigrator.up()` would do. */
export interface MigrationPlan {
  /** Those that shared schemas lack. They run first, once in the database. */
  readonly shared: readonly PlannedSharedMigration[];
  /** Those that the template or any tenant lacks, in the order in which they would run. Empty: nothing to do. */
  readonly migrations: readonly PlannedMigration[];
  /** As in a report: what was edited after it ran, or is not in the code. */
  readonly warnings: readonly string[];
}

/** SQL as far as it can be told without running it for good. */
export interface Rehearsal {
  /** The statements, as they ran on a copy of the structure, without rows, that was rolled back; `null`: see `note`. */
  readonly sql: readonly string[] | null;
  /** Why there is no SQL, or not all of it. */
  readonly note?: string;
  /** What will go wrong, as far as it is known, with the remedy: it failed on the copy, or names lead out of the tenant. */
  readonly problems: readonly string[];
}

export interface PlannedSharedMigration extends Rehearsal {
  readonly schema: string;
  readonly name: string;
}

export interface PlannedMigration extends Rehearsal {
  readonly name: string;
  /** False for one that says `transaction = false`: it runs in a session of its own, and may be left half done. */
  readonly transaction: boolean;
  /** Whether the template lacks it. */
  readonly template: boolean;
  /** How many tenants lack it. */
  readonly tenants: number;
}
