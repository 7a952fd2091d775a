import { Inject, Injectable } from '@nestjs/common';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';

/** A migration as a tenant has seen it. */
export interface SeenMigration {
  readonly name: string;
  readonly timestamp: number;
  /** Of its source at the time; `null` when none was kept. */
  readonly checksum: string | null;
}

/** Notes which migrations a new tenant's schema has in it already, so that none runs there again. */
@Injectable()
export class TenantVersions {
  readonly #schema: string;

  constructor(@Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions) {
    this.#schema = quoteIdentifier(registrySchema);
  }

  /** In the transaction that makes the tenant: those of the template, or those of the tenant that it is a copy of. */
  async record(transaction: SqlExecutor, tenantId: string, copyOf: string | undefined): Promise<void> {
    const [source, parameters] =
      copyOf === undefined
        ? [`${this.#schema}.template_migrations`, [tenantId]]
        : [`${this.#schema}.tenant_migrations WHERE tenant_id = $2 AND state = 'done'`, [tenantId, copyOf]];
    await transaction.query(
      `INSERT INTO ${this.#schema}.tenant_migrations (tenant_id, name, timestamp, checksum, state)
       SELECT $1, name, timestamp, checksum, 'done' FROM ${source}`,
      parameters,
    );
  }

  /** What a tenant has seen, in the order in which it ran. */
  async list(executor: SqlExecutor, tenantId: string): Promise<SeenMigration[]> {
    const rows = (await executor.query(
      `SELECT name, timestamp, checksum FROM ${this.#schema}.tenant_migrations
       WHERE tenant_id = $1 AND state = 'done' ORDER BY timestamp, name`,
      [tenantId],
    )) as (Omit<SeenMigration, 'timestamp'> & { timestamp: string })[];
    // pg gives a bigint as text.
    return rows.map(({ timestamp, ...rest }) => ({ ...rest, timestamp: Number(timestamp) }));
  }

  /** Forgets what a tenant has seen: its schema is gone. */
  async forget(transaction: SqlExecutor, tenantId: string): Promise<void> {
    await transaction.query(`DELETE FROM ${this.#schema}.tenant_migrations WHERE tenant_id = $1`, [tenantId]);
  }

  /** The same for a tenant that has seen them elsewhere. */
  async recordSeen(
    transaction: SqlExecutor,
    tenantId: string,
    seen: readonly SeenMigration[],
  ): Promise<void> {
    await transaction.query(
      `INSERT INTO ${this.#schema}.tenant_migrations (tenant_id, name, timestamp, checksum, state)
       SELECT $1, name, timestamp, checksum, 'done' FROM unnest($2::text[], $3::bigint[], $4::text[]) AS seen (name, timestamp, checksum)`,
      [
        tenantId,
        seen.map(({ name }) => name),
        seen.map(({ timestamp }) => timestamp),
        seen.map(({ checksum }) => checksum),
      ],
    );
  }
}
