import type { DataSource } from 'typeorm';
import type { Pool } from 'pg';
import type { CheckedTenancyOptions } from '../../options/tenancy.options';
import type { RegistryMigration } from '../../registry/registry-migrations';

/** `problem`: something does not work, or is not safe. `warning`: it works, and could be better. */
export type Severity = 'ok' | 'warning' | 'problem' | 'skipped';

/** What a check has found, in words. */
export interface Finding {
  readonly check: string;
  readonly severity: Severity;
  readonly message: string;
  /** What to do about it: often a statement to run, or an option to set. */
  readonly remedy?: string;
}

/** What checks look at. */
export interface Patient {
  readonly options: CheckedTenancyOptions;
  /** What makes the registry's tables, with those of the modules that the application imports. */
  readonly registryMigrations: readonly RegistryMigration[];
  /** Without any tenancy, around the pooler if there is one. It has the application's migrations. */
  readonly database: DataSource;
  /** To the server as the tenants' connections lead to it. */
  readonly pool: Pool;
}

/** Looks, and changes nothing. What it throws becomes a problem. */
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
