import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { TenantContext } from '../context/tenant-context';
import { DEFAULT_SERVER } from '../placement/place';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { SharedMigrator, type SharedSurvey } from '../provisioning/template/shared-migrator';
import { Template } from '../provisioning/template/template';
import { TenantStore } from '../registry/store/tenant.store';
import { TypeOrmTenantStore } from '../registry/store/typeorm-tenant.store';
import { FleetMembers } from './fleet-members';
import { FleetServers, ServerLeftOutError } from './fleet-servers';

/** The state of one server with respect to some migrations. */
export interface ServerState {
  readonly server: string;
  /** All its tenants except purged ones. */
  readonly tenants: number;
  /** How many of them lack any of the migrations. */
  readonly behind: number;
  /**
   * How many lack none but are noted with an older version, because the process that migrated them died before it noted
   * this.
   */
  readonly unnoted: number;
  /** How many tenants have each of them, by its name. */
  readonly having: ReadonlyMap<string, number>;
  /** The template's migrations in their order, with the checksum that each had then, if one was stored. */
  readonly template: ReadonlyMap<string, string | null>;
  /** The migrations of its shared schemas. */
  readonly shared: readonly SharedSurvey[];
}

/** The state of the fleet. */
export interface FleetState {
  /** Those that could be asked, the registry's first. */
  readonly servers: readonly ServerState[];
  /** Those that could not. */
  readonly away: readonly { readonly server: string; readonly tenants: number; readonly why: string }[];
}

/** What of one kind all servers have that could be asked. */
export function sumOf({ servers }: FleetState, count: (server: ServerState) => number): number {
  return servers.reduce((sum, each) => sum + count(each), 0);
}

interface StateRow {
  readonly tenants: number | null;
  readonly behind: number | null;
  readonly unnoted: number | null;
  readonly having: Readonly<Record<string, number>> | null;
  readonly template: readonly (readonly [string, string | null])[] | null;
  /** Tenants by their server, beside the registry's own. */
  readonly elsewhere: Readonly<Record<string, number>> | null;
}

/**
 * Reads the state. Of the registry's server in one statement and without a transaction, so that a run with nothing to do
 * costs one round trip; of each further one page by page.
 */
@Injectable()
export class FleetStates {
  readonly #schema: string;

  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly transactions: SystemTransactions,
    private readonly store: TenantStore,
    private readonly members: FleetMembers,
    private readonly servers: FleetServers,
    private readonly template: Template,
    private readonly shared: SharedMigrator,
    @Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions,
  ) {
    this.#schema = quoteIdentifier(registrySchema);
  }

  async read(names: readonly string[]): Promise<FleetState> {
    const { state, elsewhere } = await this.#readFirst(names);
    const servers = [state];
    const away: FleetState['away'][number][] = [];
    for (const [server, tenants] of elsewhere) {
      try {
        servers.push(await this.#read(server, names));
      } catch (error) {
        if (!(error instanceof ServerLeftOutError)) throw error;
        away.push({ server, tenants, why: error.message });
      }
    }
    return { servers, away };
  }

  async #readFirst(
    names: readonly string[],
  ): Promise<{ state: ServerState; elsewhere: Map<string, number> }> {
    const isOurs = this.store instanceof TypeOrmTenantStore;
    const [row] = await this.context.runAsSystem(
      () => this.dataSource.query<StateRow[]>(isOurs ? this.#ofRegistry() : this.#ofLedger(), [names]),
      DEFAULT_SERVER,
    );
    const counts = isOurs ? new Map(Object.entries(row.elsewhere ?? {})) : await this.members.countByServer();
    const state: ServerState = {
      server: DEFAULT_SERVER,
      tenants: (isOurs ? row.tenants : counts.get(DEFAULT_SERVER)) ?? 0,
      behind: isOurs ? (row.behind ?? 0) : await this.members.count(names),
      unnoted: row.unnoted ?? 0,
      having: new Map(Object.entries(row.having ?? {})),
      template: new Map(row.template ?? []),
      shared: await this.servers.on(DEFAULT_SERVER, () => this.shared.survey()),
    };
    const further = this.servers.names.map((name): [string, number] => [name, counts.get(name) ?? 0]);
    const elsewhere = new Map([...further, ...counts]);
    elsewhere.delete(DEFAULT_SERVER);
    return { state, elsewhere };
  }

  async #read(server: string, names: readonly string[]): Promise<ServerState> {
    const template = await this.servers.on(server, () =>
      this.transactions.run((manager) => this.template.appliedChecksums(manager), server),
    );
    const shared = await this.servers.on(server, () => this.shared.survey());
    const counts = { tenants: 0, behind: 0, unnoted: 0 };
    const having = new Map<string, number>();
    const last = names.at(-1);
    for await (const members of this.members.pages(names, server)) {
      for (const { tenant, done } of members) {
        counts.tenants++;
        for (const name of done) having.set(name, (having.get(name) ?? 0) + 1);
        if (done.length < names.length) counts.behind++;
        else if (last !== undefined && isOlder(tenant.schemaVersion, last)) counts.unnoted++;
      }
    }
    return { server, ...counts, having, template, shared };
  }

  /** The names of migrations end with their timestamps. */
  #ofRegistry(): string {
    return `
      WITH fleet AS MATERIALIZED (
        SELECT id, schema_version FROM ${this.#schema}.tenants WHERE status <> 'purged' AND server = '${DEFAULT_SERVER}'),
      seen AS MATERIALIZED (
        SELECT m.tenant_id, m.name FROM ${this.#schema}.tenant_migrations m JOIN fleet ON fleet.id = m.tenant_id
        WHERE m.state = 'done' AND m.name = ANY ($1::text[])),
      counts AS MATERIALIZED (
        SELECT count(*)::integer AS tenants, count(*) FILTER (WHERE lacks)::integer AS behind,
               count(*) FILTER (WHERE NOT lacks AND is_older)::integer AS unnoted
        FROM (
          SELECT coalesce(done.names, 0) < cardinality($1::text[]) AS lacks,
                 cardinality($1::text[]) > 0 AND coalesce(right(schema_version, 13) < right(($1::text[])[cardinality($1::text[])], 13), true)
                   AS is_older
          FROM fleet LEFT JOIN (SELECT tenant_id, count(*) AS names FROM seen GROUP BY tenant_id) done
            ON done.tenant_id = fleet.id) fleet)
      SELECT counts.*, ${this.#columns()}, (
        SELECT pg_catalog.json_object_agg(server, tenants) FROM (
          SELECT server, pg_catalog.count(*) AS tenants FROM ${this.#schema}.tenants
          WHERE status <> 'purged' AND server <> '${DEFAULT_SERVER}' GROUP BY server) by_server) AS elsewhere
      FROM counts`;
  }

  /** Tenants are in another store, so the ledger does not know all of them. */
  #ofLedger(): string {
    return `
      WITH seen AS MATERIALIZED (
        SELECT tenant_id, name FROM ${this.#schema}.tenant_migrations WHERE state = 'done' AND name = ANY ($1::text[]))
      SELECT NULL::integer AS tenants, NULL::integer AS behind, NULL::integer AS unnoted, ${this.#columns()}`;
  }

  #columns(): string {
    return `
      (SELECT pg_catalog.json_object_agg(name, tenants) FROM (
         SELECT name, pg_catalog.count(*) AS tenants FROM seen GROUP BY name) by_name) AS having,
      (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(name, checksum) ORDER BY timestamp, name)
       FROM ${this.#schema}.template_migrations) AS template`;
  }
}

/** By the timestamps with which the names of migrations end. */
function isOlder(version: string | null, than: string): boolean {
  return version === null || version.slice(-13) < than.slice(-13);
}
