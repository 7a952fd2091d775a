import { Inject, Injectable } from '@nestjs/common';
import type { SqlExecutor } from '../common/sql';
import { quoteIdentifier } from '../common/sql';
import { type Blueprint, compileBlueprint } from '../schema/blueprint';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';

/** Key of the advisory lock on the template: shared by clones, exclusive for its migrator. "template" in ASCII. */
const TEMPLATE_LOCK = '8387230210669507685';

/** The schema that new tenants are cloned from. */
@Injectable()
export class Template {
  readonly schemaName: string;
  readonly #ledger: string;
  /** Of the version that was compiled last. */
  #compiled: { version: string; blueprint: Blueprint } | undefined;

  constructor(@Inject(PROVISIONING_OPTIONS) { templateSchema, registrySchema }: ProvisioningOptions) {
    this.schemaName = templateSchema;
    this.#ledger = `${quoteIdentifier(registrySchema)}.template_migrations`;
  }

  /** Keeps the template as it is until the caller's transaction ends. */
  async lockShared(transaction: SqlExecutor): Promise<void> {
    await transaction.query('SELECT pg_catalog.pg_advisory_xact_lock_shared($1)', [TEMPLATE_LOCK]);
  }

  /** Keeps everybody else from cloning or changing the template until the caller's transaction ends. */
  async lockExclusive(transaction: SqlExecutor): Promise<void> {
    await transaction.query('SELECT pg_catalog.pg_advisory_xact_lock($1)', [TEMPLATE_LOCK]);
  }

  /** The template's compiled DDL. The caller's transaction holds a lock. */
  async blueprint(transaction: SqlExecutor): Promise<Blueprint> {
    const version = (await this.appliedMigrations(transaction)).join();
    if (this.#compiled?.version !== version) {
      this.#compiled = { version, blueprint: await compileBlueprint(transaction, this.schemaName) };
    }
    return this.#compiled.blueprint;
  }

  /** Names of the migrations that the template has seen, in their order. */
  async appliedMigrations(executor: SqlExecutor): Promise<string[]> {
    const rows = (await executor.query(`SELECT name FROM ${this.#ledger} ORDER BY timestamp, name`)) as {
      name: string;
    }[];
    return rows.map(({ name }) => name);
  }

  async recordMigration(transaction: SqlExecutor, name: string, timestamp: number): Promise<void> {
    await transaction.query(`INSERT INTO ${this.#ledger} (name, timestamp) VALUES ($1, $2)`, [
      name,
      timestamp,
    ]);
  }
}
