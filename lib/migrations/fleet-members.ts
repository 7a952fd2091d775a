import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { DEFAULT_SERVER, isBesideRegistry, placeOf } from '../placement/place';
import type { Tenant } from '../registry/tenant';
import { TenantStore } from '../registry/store/tenant.store';
import { TypeOrmTenantStore } from '../registry/store/typeorm-tenant.store';
import { FleetServers, orLeftOut } from './fleet-servers';

/** A tenant, whatever its status, and which of the given migrations it has. */
export interface FleetMember {
  readonly tenant: Tenant;
  readonly done: readonly string[];
}

/** Which members to find: those that lack one of the migrations, or those that have one. */
export type Missing = 'lacking' | 'having';

/** How many tenants are in memory at most. */
const PAGE_SIZE = 250;

interface LedgerRow {
  readonly tenant_id: string;
  readonly done: readonly string[] | null;
}

/** All tenants of a server except purged ones, with their migrations, page by page. */
@Injectable()
export class FleetMembers {
  readonly #schema: string;

  constructor(
    private readonly store: TenantStore,
    private readonly transactions: SystemTransactions,
    private readonly servers: FleetServers,
    @Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions,
  ) {
    this.#schema = quoteIdentifier(registrySchema);
  }

  /** Members that lack (or have) any of the migrations, sorted by id. @throws ServerLeftOutError */
  async *find(
    names: readonly string[],
    missing: Missing = 'lacking',
    server = DEFAULT_SERVER,
  ): AsyncGenerator<FleetMember> {
    for await (const members of this.findPages(names, missing, server)) yield* members;
  }

  /** The same in lists. */
  findPages(
    names: readonly string[],
    missing: Missing,
    server: string,
  ): AsyncGenerator<readonly FleetMember[], void> {
    return server === DEFAULT_SERVER && this.store instanceof TypeOrmTenantStore
      ? this.#pagesOfRegistry(names, missing)
      : this.#wanted(names, missing, server);
  }

  /** Every member, with which of the migrations it has. @throws ServerLeftOutError */
  async *pages(
    names: readonly string[],
    server: string,
    transaction?: EntityManager,
  ): AsyncGenerator<FleetMember[]> {
    for await (const tenants of this.store.eachPage({ server }, PAGE_SIZE)) {
      const rows = await this.#query<LedgerRow>(
        `SELECT member.id AS tenant_id, ${DONE}
         FROM pg_catalog.unnest($2::uuid[]) AS member (id) CROSS JOIN LATERAL (${this.#entries('member.id')}) entries`,
        [names, tenants.map(({ id }) => id)],
        server,
        transaction,
      );
      const byId = new Map(rows.map((row) => [row.tenant_id, row]));
      yield tenants.flatMap((tenant) => toMember(tenant, byId.get(tenant.id))).filter(hasSchema);
    }
  }

  /** Every tenant of a server, whatever its status, sorted by id. */
  async *all(server = DEFAULT_SERVER): AsyncGenerator<Tenant> {
    for await (const tenants of this.store.eachPage({ server }, PAGE_SIZE)) yield* tenants;
  }

  /** How many tenants there are on each server: those that the options name, and those that only the registry does. */
  async countByServer(): Promise<Map<string, number>> {
    const counts = new Map(this.servers.names.map((name) => [name, 0]));
    if (this.store instanceof TypeOrmTenantStore) {
      const rows = await this.#query<{ server: string; tenants: number }>(
        `SELECT server, pg_catalog.count(*)::integer AS tenants FROM ${this.#schema}.tenants WHERE status <> 'purged' GROUP BY server`,
        [],
      );
      for (const { server, tenants } of rows) counts.set(server, tenants);
      return counts;
    }
    for await (const tenants of this.store.eachPage({}, PAGE_SIZE)) {
      for (const tenant of tenants) {
        const { server } = placeOf(tenant);
        counts.set(server, (counts.get(server) ?? 0) + 1);
      }
    }
    return counts;
  }

  /**
   * How many members lack (or have) any of the migrations, counted in a transaction of its own unless one is given.
   *
   * @throws ServerLeftOutError
   */
  async count(
    names: readonly string[],
    missing: Missing = 'lacking',
    { server = DEFAULT_SERVER, transaction }: { server?: string; transaction?: EntityManager } = {},
  ): Promise<number> {
    if (server === DEFAULT_SERVER && this.store instanceof TypeOrmTenantStore) {
      const [{ count }] = await this.#query<{ count: number }>(
        `SELECT pg_catalog.count(*)::integer AS count FROM ${this.#schema}.tenants t
         WHERE t.server = '${DEFAULT_SERVER}' AND t.status <> 'purged' AND ${this.#isMade()} AND ${this.#condition(missing)}`,
        [names],
        server,
        transaction,
      );
      return count;
    }
    let count = 0;
    for await (const members of this.#wanted(names, missing, server, transaction)) count += members.length;
    return count;
  }

  /** Members that are up to date cost nothing: one query finds that nothing is to do. */
  async *#pagesOfRegistry(names: readonly string[], missing: Missing): AsyncGenerator<FleetMember[], void> {
    for (let afterId: string | undefined; ;) {
      const rows = await this.#query<LedgerRow>(
        `SELECT t.id AS tenant_id, ${DONE} FROM ${this.#schema}.tenants t
         CROSS JOIN LATERAL (${this.#entries('t.id')}) entries
         WHERE t.server = '${DEFAULT_SERVER}' AND t.status <> 'purged' AND t.id > coalesce($2, '00000000-0000-0000-0000-000000000000'::uuid)
           AND ${this.#isMade()} AND entries.count ${isMissing(missing)}
         ORDER BY t.id LIMIT ${PAGE_SIZE}`,
        [names, afterId ?? null],
      );
      const tenants = await this.store.findMany(rows.map(({ tenant_id: value }) => ({ by: 'id', value })));
      yield rows.flatMap((row, i) => toMember(tenants[i], row));
      if (rows.length < PAGE_SIZE) return;
      afterId = rows.at(-1)?.tenant_id;
    }
  }

  async *#wanted(
    names: readonly string[],
    missing: Missing,
    server: string,
    transaction?: EntityManager,
  ): AsyncGenerator<FleetMember[], void> {
    const wanted = ({ done }: FleetMember) =>
      missing === 'lacking' ? done.length < names.length : done.length > 0;
    for await (const members of this.pages(names, server, transaction)) yield members.filter(wanted);
  }

  #entries(id: string): string {
    return `
      SELECT pg_catalog.array_agg(m.name) AS names, pg_catalog.count(*) AS count FROM ${this.#schema}.tenant_migrations m
      WHERE m.tenant_id = ${id} AND m.state = 'done' AND m.name = ANY ($1::text[])`;
  }

  /** As `hasSchema` says it. */
  #isMade(): string {
    return `(t.status <> 'provisioning' OR t.isolation = 'schema'
      OR EXISTS (SELECT FROM ${this.#schema}.tenant_migrations m WHERE m.tenant_id = t.id AND m.state = 'done'))`;
  }

  #condition(missing: Missing): string {
    return `(SELECT pg_catalog.count(*) FROM ${this.#schema}.tenant_migrations m
      WHERE m.tenant_id = t.id AND m.state = 'done' AND m.name = ANY ($1::text[]))
      ${isMissing(missing)}`;
  }

  #query<Row>(
    sql: string,
    parameters: unknown[],
    server = DEFAULT_SERVER,
    transaction?: EntityManager,
  ): Promise<Row[]> {
    const ask = (manager: EntityManager) => manager.query<Row[]>(sql, parameters);
    return transaction ? ask(transaction) : orLeftOut(server, () => this.transactions.run(ask, server));
  }
}

/** As JSON, which Node reads faster than an array of PostgreSQL's. */
const DONE = 'pg_catalog.to_json(entries.names) AS done';

/** What is true of the number of those migrations that a member has. */
function isMissing(missing: Missing): string {
  return missing === 'lacking' ? '< pg_catalog.cardinality($1::text[])' : '> 0';
}

/** An empty list for a tenant that was purged between two queries. */
function toMember(tenant: Tenant | undefined, row: LedgerRow | undefined): FleetMember[] {
  return tenant ? [{ tenant, done: row?.done ?? [] }] : [];
}

/**
 * A tenant elsewhere than beside the registry is written there before its schema is made, which comes with entries in the
 * ledger, at the version of the template.
 */
function hasSchema({ tenant, done }: FleetMember): boolean {
  return tenant.status !== 'provisioning' || done.length > 0 || isBesideRegistry(tenant);
}
