import type { DataSource } from 'typeorm';
import type { Pool } from 'pg';
import type { CheckedTenancyOptions } from '../../options/tenancy.options';
import type { RegistryMigration } from '../../registry/registry-migrations';

/** `problem`: something does not work, or is not safe. `warning`: it works, but should be improved. */
export type Severity = 'ok' | 'warning' | 'problem' | 'skipped';

/** The result of a check, in words. */
export interface Finding {
  readonly check: string;
  readonly severity: Severity;
  readonly message: string;
  /** What to do about it, often a statement to run or an option to set. */
  readonly remedy?: string;
}

/** What the checks examine: one server. */
export interface Patient {
  /** Its name. */
  readonly server: string;
  /** With the way to this server as `database`. */
  readonly options: CheckedTenancyOptions;
  /** The migrations that make the registry's tables, with those of the application's modules. */
  readonly registryMigrations: readonly RegistryMigration[];
  /** Connects to the database itself, not through the pooler, without a tenant. It has the application's migrations. */
  readonly database: DataSource;
  /** The same to the database of the registry. */
  readonly registry: DataSource;
  /** Connects to the server in the way in which tenants' connections do. */
  readonly pool: Pool;
}

/** Reads, and changes nothing. An error that it throws becomes a problem. */
export type Check = (patient: Patient) => Promise<Finding | readonly Finding[]>;

export const ok = (check: string, message: string): Finding => ({ check, severity: 'ok', message });
export const skipped = (check: string, message: string): Finding => ({ check, severity: 'skipped', message });
export const warning = (check: string, message: string, remedy: string): Finding => ({
  check,
  severity: 'warning',
  message,
  remedy,
});
export const problem = (check: string, message: string, remedy: string): Finding => ({
  check,
  severity: 'problem',
  message,
  remedy,
});
