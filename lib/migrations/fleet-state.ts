import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { ADMIN_DATA_SOURCE } from '../connection/typeorm/tenant-data-source';
import { TenantContext } from '../context/tenant-context';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { TenantStore } from '../registry/store/tenant.store';
import { TypeOrmTenantStore } from '../registry/store/typeorm-tenant.store';
import { FleetMembers } from './fleet-members';

/** The state of the fleet with respect to some migrations. */
export interface FleetState {
  /** All tenants except purged ones. */
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
}

interface StateRow {
  readonly tenants: number | null;
  readonly behind: number | null;
  readonly unnoted: number | null;
  readonly having: Readonly<Record<string, number>> | null;
  readonly template: readonly (readonly [string, string | null])[] | null;
}

/**
 * Reads the state in one statement and without a transaction, so that a run with nothing to do costs one round trip.
 */
@Injectable()
export class FleetStates {
  readonly #schema: string;

  constructor(
    @InjectDataSource(ADMIN_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly context: TenantContext,
    private readonly store: TenantStore,
    private readonly members: FleetMembers,
    @Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions,
  ) {
    this.#schema = quoteIdentifier(registrySchema);
  }

  async read(names: readonly string[]): Promise<FleetState> {
    const isOurs = this.store instanceof TypeOrmTenantStore;
    const [row] = await this.context.runAsSystem(() =>
      this.dataSource.query<StateRow[]>(isOurs ? this.#ofRegistry() : this.#ofLedger(), [names]),
    );
    const counts = isOurs ? row : await this.#countInStore(names);
    return {
      tenants: counts.tenants ?? 0,
      behind: counts.behind ?? 0,
      unnoted: row.unnoted ?? 0,
      having: new Map(Object.entries(row.having ?? {})),
      template: new Map(row.template ?? []),
    };
  }

  /** The names of migrations end with their timestamps. */
  #ofRegistry(): string {
    return `
      WITH fleet AS MATERIALIZED (SELECT id, schema_version FROM ${this.#schema}.tenants WHERE status <> 'purged'),
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
      SELECT counts.*, ${this.#columns()} FROM counts`;
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

  async #countInStore(names: readonly string[]): Promise<Pick<StateRow, 'tenants' | 'behind'>> {
    return { tenants: await this.members.countAll(), behind: await this.members.count(names) };
  }
}
