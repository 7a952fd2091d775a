import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { TenantContext } from '../../context/tenant-context';
import { TenantStore } from '../../registry/store/tenant.store';
import { TypeOrmTenantStore } from '../../registry/store/typeorm-tenant.store';
import { Homes } from '../homes/homes';
import { explainOwnRows } from '../homes/own-rows';
import type { FoundHome, TenantHome } from '../homes/tenant-home';
import type { Located } from '../marks/database-marks';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { isOthers, RegistryNeighbours, twinsAmong } from '../marks/registry-neighbours';
import { SchemaMarks } from '../marks/schema-marks';
import { SystemTransactions } from '../../connection/typeorm/system-transactions';
import { Template } from '../template/template';

export interface OrphanReport {
  readonly dropped: readonly string[];
  /** Schemas with rows in them, which are never dropped. */
  readonly withRows: readonly string[];
  /** Schemas without the mark of this registry or of another one in this database. They are never touched. */
  readonly unmarked: readonly string[];
  /** Schemas that a store of the application does not know. It may have lost their tenants, so none is dropped. */
  readonly kept: readonly string[];
}

interface Candidate extends FoundHome {
  readonly home: TenantHome;
}

/**
 * Schemas with names like those of tenants that belong to no tenant, spare or tombstone. They remain when a store
 * outside the database loses a tenant, or when the registry was restored from an older backup. They may hold someone's
 * data, or belong to another application, so only empty ones with the mark of this registry are dropped, and none that a
 * store outside has forgotten.
 */
@Injectable()
export class Orphans {
  readonly #registry: string;

  constructor(
    private readonly context: TenantContext,
    private readonly transactions: SystemTransactions,
    private readonly store: TenantStore,
    private readonly template: Template,
    private readonly marks: SchemaMarks,
    private readonly homes: Homes,
    private readonly neighbours: RegistryNeighbours,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {
    this.#registry = quoteIdentifier(options.registrySchema);
  }

  /** On one server: drops the empty ones that were first seen long enough ago, and records the others. */
  sweep(server: string): Promise<OrphanReport> {
    return this.context.runAsSystem(() => this.#sweep(server), server);
  }

  /** On one server: all that a sweep would find, however lately. Changes nothing. */
  find(server: string): Promise<{ readonly ours: readonly string[]; readonly unmarked: readonly string[] }> {
    return this.context.runAsSystem(() => this.#find(server), server);
  }

  async #find(server: string) {
    const candidates = await this.#candidates(server);
    const unknown = await this.#unknownToStore(candidates.map(({ name }) => name));
    const divided = await this.#divide(candidates.filter(({ name }) => unknown.has(name)));
    return { ...divided, candidates };
  }

  async #sweep(server: string): Promise<OrphanReport> {
    const { ours, unmarked, candidates } = await this.#find(server);
    const due = await this.transactions.run((manager) => this.#note(manager, ours));
    const dropped: string[] = [];
    const withRows: string[] = [];
    if (!(this.store instanceof TypeOrmTenantStore)) return { dropped, withRows, unmarked, kept: due };
    for (const schemaName of due) {
      const { home } = candidates.find(({ name }) => name === schemaName)!;
      const outcome = await this.#drop(home, { schemaName, server });
      if (outcome === 'dropped') dropped.push(schemaName);
      if (outcome === 'has rows') withRows.push(schemaName);
    }
    return { dropped, withRows, unmarked, kept: [] };
  }

  /** Marks schemas that were made by a version without marks, and returns their names. */
  async markThoseOfBefore(): Promise<string[]> {
    const names = await this.transactions.run((manager) => this.marks.listOfBefore(manager));
    const unknown = await this.#unknownToStore(
      await this.transactions.run((manager) => this.#notSpares(manager, names)),
    );
    const marked: string[] = [];
    for (const name of names.filter((each) => !unknown.has(each))) {
      const isMarked = await this.transactions.run((manager) => this.marks.markOfBefore(manager, name));
      if (isMarked) marked.push(name);
    }
    return marked;
  }

  /**
   * A creation that is running holds the template's lock, and its schema is not visible before it has ended. The registry
   * is asked after that, and knows by then of all that are seen: a tenant's row is never committed after its schema.
   */
  async #candidates(server: string): Promise<Candidate[]> {
    const found: Candidate[] = [];
    for (const home of this.homes.all) {
      const some = await this.transactions.run((manager) => home.listFound(manager, server));
      found.push(...some.map((each) => ({ ...each, home })));
    }
    if (found.length === 0) return [];
    const unknown = await this.transactions.inRegistry((manager) =>
      this.#unknownToRegistry(
        manager,
        found.map(({ name }) => name),
      ),
    );
    return found.filter(({ name }) => unknown.has(name));
  }

  /** Those that are no tenant's, and of which no purge is known. */
  async #unknownToRegistry(registry: SqlExecutor, names: readonly string[]): Promise<ReadonlySet<string>> {
    const unknown = (await registry.query(
      `SELECT g.name FROM pg_catalog.unnest($1::text[]) AS g (name)
       WHERE NOT EXISTS (SELECT FROM ${this.#registry}.tenants t WHERE t.schema_name = g.name)
         AND NOT EXISTS (SELECT FROM ${this.#registry}.purges p WHERE p.schema_name = g.name)`,
      [names],
    )) as { name: string }[];
    return new Set(unknown.map(({ name }) => name));
  }

  async #divide(orphans: readonly Candidate[]): Promise<{ ours: string[]; unmarked: string[] }> {
    if (orphans.length === 0) return { ours: [], unmarked: [] };
    return this.transactions.run(async (manager) => {
      const registryId = await this.marks.registryId(manager);
      const neighbours = await this.neighbours.find(manager);
      const isCopied = twinsAmong(neighbours, registryId).length > 0;
      const names = (which: (owner: string | null) => boolean) =>
        orphans.filter(({ owner }) => which(owner)).map(({ name }) => name);
      return {
        ours: isCopied ? [] : names((owner) => owner === registryId),
        unmarked: names((owner) => owner !== registryId && !isOthers(neighbours, owner)),
      };
    });
  }

  async #notSpares(manager: EntityManager, names: readonly string[]): Promise<string[]> {
    const found = await manager.query<{ name: string }[]>(
      `SELECT name FROM pg_catalog.unnest($1::text[]) AS name
       WHERE name NOT IN (SELECT schema_name FROM ${this.#registry}.spares)`,
      [names],
    );
    return found.map(({ name }) => name);
  }

  async #unknownToStore(candidates: readonly string[]): Promise<ReadonlySet<string>> {
    const unknown = new Set(candidates);
    if (unknown.size === 0) return unknown;
    for await (const { schemaName } of this.store.each()) {
      unknown.delete(schemaName);
      if (unknown.size === 0) break;
    }
    return unknown;
  }

  /** The orphans that were first seen long enough ago. Records of schemas that are no longer orphans are deleted. */
  async #note(manager: EntityManager, orphans: readonly string[]): Promise<string[]> {
    await manager.query(`DELETE FROM ${this.#registry}.orphans WHERE schema_name <> ALL ($1::text[])`, [
      orphans,
    ]);
    await manager.query(
      `INSERT INTO ${this.#registry}.orphans (schema_name) SELECT pg_catalog.unnest($1::text[])
       ON CONFLICT (schema_name) DO NOTHING`,
      [orphans],
    );
    // Rounded as the column is: a time recorded within this millisecond is 0 ms ago, not in the future.
    const due = await manager.query<{ name: string }[]>(
      `SELECT schema_name AS name FROM ${this.#registry}.orphans
       WHERE first_seen_at <= (pg_catalog.clock_timestamp() - $1 * interval '1 millisecond')::timestamptz(3)
       ORDER BY schema_name`,
      [this.options.sweeper.orphanAfterMs],
    );
    return due.map(({ name }) => name);
  }

  async #drop(home: TenantHome, orphan: Located): Promise<'dropped' | 'has rows' | 'is taken' | 'is busy'> {
    try {
      for (;;) {
        const outcome = await this.transactions.run((manager) => this.#dropPart(manager, home, orphan));
        if (outcome) return outcome;
      }
    } catch (error) {
      const meaning = explainOwnRows(error);
      if (meaning) return meaning;
      throw error;
    }
  }

  async #dropPart(manager: EntityManager, home: TenantHome, orphan: Located) {
    // The lock keeps others from creating or adopting schemas in the meantime.
    await this.template.lockExclusive(manager);
    if (await this.#isTaken(manager, home, orphan)) return 'is taken';
    if (await home.hasOwnRows(manager, orphan)) return 'has rows';
    return (await home.dropNextPart(manager, orphan, true)).isLast ? 'dropped' : undefined;
  }

  /** Whether it became a tenant's or a spare since it was recorded, or its mark was changed. */
  async #isTaken(manager: EntityManager, home: TenantHome, orphan: Located): Promise<boolean> {
    const { schemaName } = orphan;
    if (await home.isSpare(manager, schemaName)) return true;
    const unknown = await this.transactions.inRegistry((registry) =>
      this.#unknownToRegistry(registry, [schemaName]),
    );
    if (!unknown.has(schemaName)) return true;
    return (await home.ownerOf(manager, orphan)) !== (await this.marks.registryId(manager));
  }
}
