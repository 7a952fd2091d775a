import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { TenantStore } from '../tenant/tenant.store';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from './provisioning.options';
import { dropNextPart } from './schema-drop';
import { SystemTransactions } from './system-transactions';
import { Template } from './template';

/** As `generateSchemaName` makes them. */
const OWN_NAME = '^t_[a-z0-9]{20}$';

const PAGE_SIZE = 100;

export interface OrphanReport {
  readonly dropped: readonly string[];
  /** Those with rows in them, which are never dropped. */
  readonly withRows: readonly string[];
}

/**
 * Schemas with names like those of tenants that are no tenant's, no spare and no tombstone's: what is left when a store
 * outside the database forgets a tenant, or the registry was restored from an older backup. The latter are somebody's
 * data, so only empty ones are dropped.
 */
@Injectable()
export class Orphans {
  readonly #registry: string;

  constructor(
    private readonly transactions: SystemTransactions,
    private readonly store: TenantStore,
    private readonly template: Template,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {
    this.#registry = quoteIdentifier(options.registrySchema);
  }

  /** Drops the empty ones that were seen long enough ago, and notes the others. */
  async sweep(): Promise<OrphanReport> {
    const isUnknown = await this.#unknownToStore(await this.#candidates());
    const due = await this.transactions.run((manager) => this.#note(manager, isUnknown));
    const dropped: string[] = [];
    const withRows: string[] = [];
    for (const schemaName of due) {
      const outcome = await this.#drop(schemaName);
      if (outcome === 'dropped') dropped.push(schemaName);
      if (outcome === 'has rows') withRows.push(schemaName);
    }
    return { dropped, withRows };
  }

  /** A creation under way holds the template's lock, and its schema is not seen before it has ended. */
  async #candidates(): Promise<string[]> {
    return this.transactions.run(async (manager) => {
      const found = await manager.query<{ name: string }[]>(
        `SELECT nspname AS name FROM pg_catalog.pg_namespace n WHERE nspname ~ $1
           AND NOT EXISTS (SELECT FROM ${this.#registry}.tenants WHERE schema_name = n.nspname)
           AND NOT EXISTS (SELECT FROM ${this.#registry}.spares WHERE schema_name = n.nspname)
           AND NOT EXISTS (SELECT FROM ${this.#registry}.purges WHERE schema_name = n.nspname)`,
        [OWN_NAME],
      );
      return found.map(({ name }) => name);
    });
  }

  async #unknownToStore(candidates: readonly string[]): Promise<string[]> {
    const unknown = new Set(candidates);
    for (let afterId: string | undefined; unknown.size > 0;) {
      const page = await this.store.list({ limit: PAGE_SIZE, afterId });
      for (const { schemaName } of page) unknown.delete(schemaName);
      if (page.length < PAGE_SIZE) break;
      afterId = page.at(-1)?.id;
    }
    return [...unknown];
  }

  /** Those that were first seen long enough ago. What is no longer an orphan is forgotten. */
  async #note(manager: EntityManager, orphans: readonly string[]): Promise<string[]> {
    await manager.query(`DELETE FROM ${this.#registry}.orphans WHERE schema_name <> ALL ($1::text[])`, [
      orphans,
    ]);
    await manager.query(
      `INSERT INTO ${this.#registry}.orphans (schema_name) SELECT pg_catalog.unnest($1::text[])
       ON CONFLICT (schema_name) DO NOTHING`,
      [orphans],
    );
    const due = await manager.query<{ name: string }[]>(
      `SELECT schema_name AS name FROM ${this.#registry}.orphans
       WHERE first_seen_at <= pg_catalog.clock_timestamp() - $1 * interval '1 millisecond' ORDER BY schema_name`,
      [this.options.sweeper.orphanAfterMs],
    );
    return due.map(({ name }) => name);
  }

  async #drop(schemaName: string): Promise<'dropped' | 'has rows' | 'is taken'> {
    for (;;) {
      const outcome = await this.transactions.run(async (manager) => {
        // Nobody creates or adopts meanwhile.
        await this.template.lockExclusive(manager);
        if (await this.#isTaken(manager, schemaName)) return 'is taken';
        if (await this.#hasRows(manager, schemaName)) return 'has rows';
        return (await dropNextPart(manager, schemaName)).isLast ? 'dropped' : undefined;
      });
      if (outcome) return outcome;
    }
  }

  async #isTaken(executor: SqlExecutor, schemaName: string): Promise<boolean> {
    const found = (await executor.query(
      `SELECT schema_name FROM ${this.#registry}.tenants WHERE schema_name = $1
       UNION ALL SELECT schema_name FROM ${this.#registry}.spares WHERE schema_name = $1`,
      [schemaName],
    )) as unknown[];
    return found.length > 0;
  }

  /** Rows that came with the clone are nobody's own. */
  async #hasRows(executor: SqlExecutor, schemaName: string): Promise<boolean> {
    const tables = (await executor.query(
      `SELECT pg_catalog.format('%I.%I', schemaname, tablename) AS name FROM pg_catalog.pg_tables
       WHERE schemaname = $1 AND tablename <> ALL ($2::text[])`,
      [schemaName, ['typeorm_metadata', ...this.options.templateData]],
    )) as { name: string }[];
    for (const { name } of tables) {
      const found = (await executor.query(`SELECT FROM ${name} LIMIT 1`)) as unknown[];
      if (found.length > 0) return true;
    }
    return false;
  }
}
