import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier, quoteLiteral, type SqlExecutor } from '../common/sql';
import { storableText } from '../common/storable';
import { checksumOf } from '../provisioning/template/migration-checksum';
import type { NamedMigration } from '../provisioning/template/named-migrations';
import { TEMPLATE_ID } from '../provisioning/template/unfinished-migrations';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { SchemaGoneError } from '../provisioning/provisioning.errors';
import { DEFAULT_SERVER } from '../placement/place';
import { recordEventsSql } from '../registry/events/event-sql';
import type { Tenant } from '../registry/tenant';
import type { MigrationTrouble } from './fleet-status';
import type { RunDirection } from './migration-runs';

/** What went wrong in one tenant. */
export interface MigrationFailure {
  readonly tenantId: string;
  readonly slug: string;
  readonly migration: string;
  readonly message: string;
  /** The SQL that failed, if the error came from PostgreSQL. */
  readonly statement?: string;
}

/** The statement that claims a migration, the same for every tenant but for its values. */
export interface ClaimForm {
  /** PostgreSQL's types of the values, in their order. */
  readonly types: readonly string[];
  /** Whether it is faster to prepare it once in a session than to send it each time. */
  readonly isPrepared: boolean;
  /**
   * @param values as SQL: literals, or the parameters of a prepared statement
   * @param before what gives one row, and sets the path before anything is written
   */
  sql(values: readonly string[], before: string): string;
}

export interface Claim {
  readonly form: ClaimForm;
  readonly values: readonly string[];
}

/** Shared schemas come after the tenant's on the path, and a migration must not work on them because its own is gone. */
function isCurrent(schema: string): string {
  return `pg_catalog.current_schema() OPERATOR(pg_catalog.=) ${schema}`;
}

/** An expression that fails, with `found` in PostgreSQL's error. */
function refusal(found: string): string {
  return `pg_catalog.concat('${REFUSAL_MARK}', ${found})::pg_catalog.int4`;
}

/** Stands in such an error before what was found. */
const REFUSAL_MARK = 'not to be migrated: ';

/** The SQL of the ledger: which migrations each tenant has seen. All of it names the registry's schema. */
@Injectable()
export class MigrationLedger {
  readonly #table: string;
  readonly #template: string;
  readonly #registry: string;
  readonly #tenants: string;
  readonly #checksums = new WeakMap<NamedMigration, string>();

  constructor(@Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions) {
    this.#table = `${quoteIdentifier(registrySchema)}.tenant_migrations`;
    this.#template = `${quoteIdentifier(registrySchema)}.template_migrations`;
    this.#registry = quoteIdentifier(registrySchema);
    this.#tenants = `${this.#registry}.tenants`;
  }

  /** Names of the migrations that the template has seen and the tenant has not. */
  async pendingOf(executor: SqlExecutor, tenantId: string): Promise<string[]> {
    const found = (await executor.query(
      `SELECT t.name FROM ${this.#template} t WHERE NOT EXISTS (
         SELECT FROM ${this.#table} m WHERE m.tenant_id = $1 AND m.name = t.name AND m.state = 'done')
       ORDER BY t.timestamp, t.name`,
      [tenantId],
    )) as { name: string }[];
    return found.map(({ name }) => name);
  }

  /**
   * Claims a migration for a tenant, in the transaction that then runs it: the ledger's row and what the migration does are
   * committed together or not at all. It fails when there is nothing to run or nowhere to run it (see `refusalIn`), and
   * PostgreSQL runs nothing that is behind it in the message. Another run that claims the same waits for the outcome.
   */
  claim(direction: RunDirection, tenant: Tenant, named: NamedMigration, runId: string): Claim {
    const { name, timestamp } = named;
    const of = [tenant.schemaName, tenant.id, name];
    return direction === 'up'
      ? { form: this.#up, values: [...of, this.#checksumOf(named), String(timestamp), runId] }
      : { form: this.#down, values: of };
  }

  /** Without RETURNING: before EXECUTE gives rows PostgreSQL reads its statement again, since it has changed the path. */
  readonly #up: ClaimForm = {
    types: ['name', 'uuid', 'text', 'text', 'int8', 'uuid'],
    isPrepared: true,
    sql: ([schema, tenantId, name, checksum, timestamp, runId], before) => `
      INSERT INTO ${this.#table} AS ledger (tenant_id, name, checksum, timestamp, state, run_id)
      SELECT ${tenantId}, ${name}, ${checksum}, ${timestamp},
        CASE WHEN ${isCurrent(schema)} THEN 'done' ELSE ${refusal('1')}::pg_catalog.text END, ${runId} FROM ${before}
      ON CONFLICT (tenant_id, name) DO UPDATE SET
        state = CASE WHEN ledger.state OPERATOR(pg_catalog.=) 'failed' THEN 'done' ELSE ${refusal('0')}::pg_catalog.text END,
        checksum = excluded.checksum, run_id = excluded.run_id, at = pg_catalog.clock_timestamp(), error = NULL,
        statement = NULL`,
  };

  readonly #down: ClaimForm = {
    types: ['name', 'uuid', 'text'],
    isPrepared: false,
    sql: ([schema, tenantId, name], before) => `
      WITH claimed AS (
        DELETE FROM ${this.#table} ledger USING ${before}
        WHERE ledger.tenant_id OPERATOR(pg_catalog.=) ${tenantId} AND ledger.name OPERATOR(pg_catalog.=) ${name}
          AND ledger.state OPERATOR(pg_catalog.=) 'done' RETURNING 1)
      SELECT CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.=) 1 AND ${isCurrent(schema)} THEN 0
        ELSE ${refusal('pg_catalog.count(*)')} END FROM claimed`,
  };

  /** Computed once: to read a migration's source for every tenant would take longer than to send its claim. */
  #checksumOf(named: NamedMigration): string {
    let checksum = this.#checksums.get(named);
    if (checksum === undefined) this.#checksums.set(named, (checksum = checksumOf(named.migration)));
    return checksum;
  }

  /**
   * What the error of a claim says: `taken` when another run has brought it meanwhile, a SchemaGoneError when the tenant's
   * schema is not there, `undefined` when it is another error.
   */
  refusalIn(error: unknown, { slug, schemaName }: Tenant): 'taken' | SchemaGoneError | undefined {
    const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
    if (code !== '22P02' || typeof message !== 'string') return undefined;
    const start = message.indexOf(REFUSAL_MARK);
    if (start === -1) return undefined;
    const isClaimed = message.startsWith('1', start + REFUSAL_MARK.length);
    return isClaimed ? new SchemaGoneError(`tenant "${slug}"`, schemaName) : 'taken';
  }

  /** Writes beside the tenant what it has seen last. Of tenants on the registry's server, whose ledger this is. */
  async writeVersion(transaction: SqlExecutor, tenantId: string): Promise<void> {
    await transaction.query(this.versionStatement(tenantId));
  }

  /** The same as SQL to be sent along with something. */
  versionStatement(tenantId: string): string {
    return this.#versionUpdate(`t.id = ${quoteLiteral(tenantId)}`);
  }

  /**
   * Puts right what is written beside tenants: of those, or of all. One message to those who listen tells of all of them,
   * where one for each tenant would cost as much as its migration.
   */
  async writeVersions(transaction: SqlExecutor, tenantIds?: readonly string[]): Promise<void> {
    if (!tenantIds) {
      await transaction.query(this.#versionUpdate(`t.status <> 'purged'`));
      return;
    }
    // OFFSET has PostgreSQL look it up once for each.
    await transaction.query(
      this.#told(`
        UPDATE ${this.#tenants} t SET version = version + 1, schema_version = seen.name
        FROM (SELECT tenant.id, ${this.#lastOf('tenant.id')} AS name
          FROM pg_catalog.unnest($1::uuid[]) AS tenant (id) OFFSET 0) seen
        WHERE t.id = seen.id AND t.server = '${DEFAULT_SERVER}' AND t.schema_version IS DISTINCT FROM seen.name`),
      [tenantIds],
    );
  }

  /** The same statement, with an event of each tenant that it has changed. */
  #told(update: string): string {
    const told = recordEventsSql(this.#registry, 'changed', {
      ...{ tenantId: 'id', type: 'tenant.migrated', subject: 'NULL' },
      data: `pg_catalog.json_build_object('to', schema_version)`,
    });
    return `WITH changed AS (${update} RETURNING t.id, t.schema_version) ${told}`;
  }

  /** The migration that a tenant has seen last, as an expression. */
  #lastOf(id: string): string {
    return `(SELECT m.name FROM ${this.#table} m WHERE m.tenant_id = ${id} AND m.state = 'done'
      ORDER BY m.timestamp DESC, m.name DESC LIMIT 1)`;
  }

  /** A tenant's `updatedAt` stays: nobody has changed it in that sense. */
  #versionUpdate(whose: string): string {
    const seen = this.#lastOf('t.id');
    return this.#told(`
      UPDATE ${this.#tenants} t SET version = version + 1, schema_version = ${seen}
      WHERE ${whose} AND t.server = '${DEFAULT_SERVER}' AND schema_version IS DISTINCT FROM ${seen}`);
  }

  /** What `writeVersion` writes, for tenants that are not in the same database as the ledger. By their ids. */
  async readVersions(
    executor: SqlExecutor,
    tenantIds: readonly string[],
  ): Promise<Map<string, string | null>> {
    const rows = (await executor.query(
      `SELECT tenant.id, ${this.#lastOf('tenant.id')} AS name
       FROM pg_catalog.unnest($1::uuid[]) AS tenant (id)`,
      [tenantIds],
    )) as { id: string; name: string | null }[];
    return new Map(rows.map(({ id, name }) => [id, name]));
  }

  /** Writes in the registry what tenants have seen on another server. */
  async writeVersionsOf(registry: SqlExecutor, versions: ReadonlyMap<string, string | null>): Promise<void> {
    await registry.query(
      this.#told(`
        UPDATE ${this.#tenants} t SET version = version + 1, schema_version = seen.name
        FROM ROWS FROM (pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::text[])) AS seen (id, name)
        WHERE t.id = seen.id AND t.schema_version IS DISTINCT FROM seen.name`),
      [[...versions.keys()], [...versions.values()]],
    );
  }

  /** What failed, for people to read. It never covers up that the migration is done. */
  async recordFailure(
    executor: SqlExecutor,
    { tenantId, message, statement }: MigrationFailure,
    { name, timestamp }: NamedMigration,
    runId: string,
  ): Promise<void> {
    await executor.query(
      `INSERT INTO ${this.#table} AS ledger (tenant_id, name, timestamp, state, run_id, error, statement)
       VALUES ($1, $2, $3, 'failed', $4, $5, $6)
       ON CONFLICT (tenant_id, name) DO UPDATE SET at = pg_catalog.clock_timestamp(), run_id = excluded.run_id,
         error = excluded.error, statement = excluded.statement
       WHERE ledger.state = 'failed'`,
      [tenantId, name, timestamp, runId, storableText(message), statement && storableText(statement)],
    );
  }

  /** What is not as it should be, the latest first, at most 100 entries, and how many there are. */
  async listTroubles(
    executor: SqlExecutor,
  ): Promise<{ troubles: Omit<MigrationTrouble, 'slug'>[]; count: number }> {
    const found = (await executor.query(
      `SELECT nullif(tenant_id, $1::uuid) AS "tenantId", name AS migration, state, error, statement, run_id AS "runId", at,
         pg_catalog.count(*) OVER ()::integer AS count
       FROM ${this.#table} m WHERE state <> 'done' AND NOT EXISTS (
         SELECT FROM ${this.#tenants} t WHERE t.id = m.tenant_id AND t.status = 'purged')
       ORDER BY at DESC, tenant_id LIMIT 100`,
      [TEMPLATE_ID],
    )) as (Omit<MigrationTrouble, 'slug'> & { count: number })[];
    return { troubles: found.map(({ count: _count, ...trouble }) => trouble), count: found[0]?.count ?? 0 };
  }
}
