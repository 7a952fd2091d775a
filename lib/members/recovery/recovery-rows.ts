import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { recordEvent } from '../../registry/events/event-outbox';
import type { NewEvent } from '../../registry/events/tenant-event';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { registrySchema } from '../../registry/registry-schema';
import type { Keyed } from '../members-lock';

/** A key with which somebody becomes an owner of a tenant. */
export interface RecoveryKey {
  /** UUID version 7. */
  readonly id: string;
  readonly tenantId: string;
  /** Who has made it. */
  readonly actor: string;
  readonly reason: string;
  readonly expiresAt: Date;
  readonly createdAt: Date;
}

export interface NewRecoveryKey extends Pick<RecoveryKey, 'id' | 'tenantId' | 'actor' | 'reason'> {
  readonly digest: Buffer;
  readonly minutes: number;
}

const COLUMNS = `k.id, k.tenant_id AS "tenantId", k.actor, k.reason, k.expires_at AS "expiresAt", k.created_at AS "createdAt"`;
const COUNTS = 'k.used_at IS NULL AND k.revoked_at IS NULL AND k.expires_at > pg_catalog.clock_timestamp()';

/** The SQL of recovery keys. What changes one is called with its tenant's members locked. */
@Injectable()
export class RecoveryRows {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  get #schema(): string {
    return quoteIdentifier(registrySchema(this.registry));
  }

  get #keys(): string {
    return `${this.#schema}.tenant_recovery_keys`;
  }

  /** The key of a tenant that counts, other than `id`. */
  async findOther(executor: SqlExecutor, tenantId: string, id: string): Promise<RecoveryKey | undefined> {
    const [row] = (await executor.query(
      `SELECT ${COLUMNS} FROM ${this.#keys} k WHERE k.tenant_id = $1 AND k.id <> $2 AND ${COUNTS}`,
      [tenantId, id],
    )) as RecoveryKey[];
    return row;
  }

  /** That with its digest, if it counts. */
  async findById(executor: SqlExecutor, id: string): Promise<Keyed<RecoveryKey> | undefined> {
    const [row] = (await executor.query(
      `SELECT ${COLUMNS}, k.digest FROM ${this.#keys} k WHERE k.id = $1 AND ${COUNTS}`,
      [id],
    )) as (RecoveryKey & { digest: Buffer })[];
    if (!row) return undefined;
    const { digest, ...key } = row;
    return { row: key, digest };
  }

  /** If the id exists, an earlier attempt of the same request made it, and its text was never shown. */
  async insert(executor: SqlExecutor, key: NewRecoveryKey): Promise<RecoveryKey | undefined> {
    const [row] = (await executor.query(
      `WITH k AS (
         INSERT INTO ${this.#keys} AS known (id, tenant_id, digest, actor, reason, expires_at)
         VALUES ($1, $2, $3, $4, $5, pg_catalog.clock_timestamp() + pg_catalog.make_interval(mins => $6))
         ON CONFLICT (id) DO UPDATE SET digest = EXCLUDED.digest
           WHERE known.tenant_id = EXCLUDED.tenant_id AND known.used_at IS NULL AND known.revoked_at IS NULL
         RETURNING *)
       SELECT ${COLUMNS} FROM k`,
      [key.id, key.tenantId, key.digest, key.actor, key.reason, key.minutes],
    )) as RecoveryKey[];
    return row;
  }

  async use(executor: SqlExecutor, id: string, memberId: string): Promise<void> {
    await executor.query(
      `UPDATE ${this.#keys} SET used_at = pg_catalog.clock_timestamp(), member_id = $2 WHERE id = $1`,
      [id, memberId],
    );
  }

  async revoke(executor: SqlExecutor, id: string): Promise<void> {
    await executor.query(`UPDATE ${this.#keys} SET revoked_at = pg_catalog.clock_timestamp() WHERE id = $1`, [
      id,
    ]);
  }

  record(executor: SqlExecutor, event: NewEvent): Promise<string> {
    return recordEvent(executor, this.#schema, event);
  }
}
