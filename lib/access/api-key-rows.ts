import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { lockUntilEnd, quoteIdentifier, type SqlExecutor } from '../common/sql';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { registrySchema } from '../registry/registry-schema';
import { findIdentity } from '../registry/server-identity';
import { RegistryTime } from '../registry/registry-time';
import { recordAction } from '../registry/events/audit-events';
import type { TenantAction } from '../registry/events/tenant-audit';
import { type ApiKey, statusOf } from './api-key';

/** The columns that are needed to check a key. */
export interface KeySecrets {
  readonly id: string;
  readonly tenantId: string;
  readonly digest: Buffer;
  readonly previousDigest: Buffer | null;
  readonly previousUntil: Date | null;
  readonly scopes: readonly string[];
  readonly allowedIps: readonly string[];
  readonly expiresAt: Date | null;
  readonly blockedAt: Date | null;
  readonly revokedAt: Date | null;
}

/** Columns that a change may set. */
export interface KeyValues {
  readonly name?: string;
  readonly hint?: string;
  readonly digest?: Buffer;
  readonly previous_digest?: Buffer | null;
  readonly previous_until?: Date | null;
  readonly scopes?: readonly string[];
  readonly allowed_ips?: readonly string[];
  readonly expires_at?: Date | null;
  readonly blocked_at?: Date | null;
  readonly revoked_at?: Date | null;
}

type NewKeyValues = Required<
  Pick<KeyValues, 'name' | 'hint' | 'digest' | 'scopes' | 'allowed_ips' | 'expires_at'>
>;

const SHARED = `k.id, k.tenant_id AS "tenantId", k.scopes, k.allowed_ips AS "allowedIps",
  k.expires_at AS "expiresAt", k.blocked_at AS "blockedAt", k.revoked_at AS "revokedAt"`;
const SECRETS = `${SHARED}, k.digest, k.previous_digest AS "previousDigest", k.previous_until AS "previousUntil"`;
const SHOWN = `${SHARED}, k.name, k.hint, k.version, k.created_at AS "createdAt", k.updated_at AS "updatedAt",
  CASE WHEN k.previous_until > pg_catalog.clock_timestamp() THEN k.previous_until END AS "overlapEndsAt",
  u.last_used_at AS "lastUsedAt"`;

/** The SQL of keys. Every statement names the registry's schema. */
@Injectable()
export class ApiKeyRows {
  /** The registry's. */
  #serverId: string | undefined;

  constructor(
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    private readonly time: RegistryTime,
  ) {}

  get #schema(): string {
    return quoteIdentifier(registrySchema(this.registry));
  }

  get #shown(): string {
    return `${SHOWN} FROM changed k LEFT JOIN ${this.#schema}.api_key_uses u ON u.key_id = k.id`;
  }

  /** Whether `executor` works in the database of the registry. The tables of another server look the same. */
  async areWhere(executor: SqlExecutor): Promise<boolean> {
    const schema = registrySchema(this.registry);
    this.#serverId ??= (await findIdentity(this.registry, schema))?.serverId;
    return (await findIdentity(executor, schema))?.serverId === this.#serverId;
  }

  async findSecrets(executor: SqlExecutor, ids: readonly string[]): Promise<KeySecrets[]> {
    return (await executor.query(
      `SELECT ${SECRETS} FROM ${this.#schema}.api_keys k WHERE k.id = ANY($1::uuid[])`,
      [ids],
    )) as KeySecrets[];
  }

  /** One key of a tenant. With `lock`, others cannot change it until the transaction ends. */
  async find(executor: SqlExecutor, tenantId: string, id: string, lock = false): Promise<ApiKey | undefined> {
    const [row] = await this.#select(
      executor,
      `k.tenant_id = $1 AND k.id = $2 ${lock ? 'FOR NO KEY UPDATE OF k' : ''}`,
      [tenantId, id],
    );
    return row;
  }

  /** Sorted by id, and so by time of creation. */
  list(executor: SqlExecutor, tenantId: string, limit: number, afterId?: string): Promise<ApiKey[]> {
    return this.#select(
      executor,
      'k.tenant_id = $1 AND ($2::uuid IS NULL OR k.id > $2) ORDER BY k.id LIMIT $3',
      [tenantId, afterId ?? null, limit],
    );
  }

  /**
   * Stores a new key. If its id exists, an earlier attempt of the same request made it and its text was never shown, so
   * it gets a new text. `undefined` when it was revoked meanwhile.
   */
  async insert(
    executor: SqlExecutor,
    tenantId: string,
    id: string,
    values: NewKeyValues,
  ): Promise<ApiKey | undefined> {
    const { name, hint, digest, scopes, allowed_ips, expires_at } = values;
    return this.#changed(
      executor,
      `INSERT INTO ${this.#schema}.api_keys AS k (id, tenant_id, name, hint, digest, scopes, allowed_ips, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
       ON CONFLICT (id) DO UPDATE SET hint = EXCLUDED.hint, digest = EXCLUDED.digest, version = k.version + 1
         WHERE k.tenant_id = EXCLUDED.tenant_id AND k.revoked_at IS NULL
       RETURNING *`,
      [id, tenantId, name, hint, digest, scopes, allowed_ips, expires_at],
    );
  }

  /**
   * How many keys of the tenant are not revoked, without the one with `id`. A lock makes others wait until the
   * transaction ends, so of two requests for the last place the second counts the first's key.
   */
  async countOthers(executor: SqlExecutor, tenantId: string, id: string): Promise<number> {
    await lockUntilEnd(executor, `${this.#schema}.api_keys ${tenantId}`);
    const [{ count }] = (await executor.query(
      `SELECT pg_catalog.count(*)::integer AS count FROM ${this.#schema}.api_keys
       WHERE tenant_id = $1 AND id <> $2 AND revoked_at IS NULL`,
      [tenantId, id],
    )) as { count: number }[];
    return count;
  }

  /** Returns the changed key. The caller must have locked its row. */
  async update(executor: SqlExecutor, id: string, values: KeyValues): Promise<ApiKey> {
    const columns = Object.keys(values);
    const sets = columns.map((column, index) => `${quoteIdentifier(column)} = $${index + 2}`);
    const changed = await this.#changed(
      executor,
      `UPDATE ${this.#schema}.api_keys SET ${sets.join(', ')}, version = version + 1,
         updated_at = pg_catalog.clock_timestamp() WHERE id = $1 RETURNING *`,
      [id, ...(Object.values(values) as unknown[])],
    );
    return changed!;
  }

  /** The current digest of a key. */
  async digestOf(executor: SqlExecutor, id: string): Promise<Buffer> {
    const [row] = await this.findSecrets(executor, [id]);
    return row.digest;
  }

  record(executor: SqlExecutor, tenantId: string, action: TenantAction): Promise<void> {
    return recordAction(executor, this.#schema, tenantId, action);
  }

  /** Writes when keys were last used. Deleted keys are skipped. */
  async recordUses(executor: SqlExecutor, uses: ReadonlyMap<string, Date>): Promise<void> {
    // Always in the same order, so that two instances cannot deadlock.
    const sorted = [...uses].sort(([one], [other]) => (one < other ? -1 : 1));
    await executor.query(
      `INSERT INTO ${this.#schema}.api_key_uses AS known (key_id, last_used_at)
       SELECT k.id, used.at FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS used (id, at, place)
       JOIN ${this.#schema}.api_keys k ON k.id = used.id ORDER BY used.place
       ON CONFLICT (key_id) DO UPDATE SET last_used_at = EXCLUDED.last_used_at
         WHERE known.last_used_at < EXCLUDED.last_used_at`,
      [sorted.map(([id]) => id), sorted.map(([, at]) => at)],
    );
  }

  async #select(executor: SqlExecutor, where: string, values: unknown[]): Promise<ApiKey[]> {
    const rows = (await executor.query(
      `SELECT ${SHOWN} FROM ${this.#schema}.api_keys k
       LEFT JOIN ${this.#schema}.api_key_uses u ON u.key_id = k.id WHERE ${where}`,
      values,
    )) as Omit<ApiKey, 'status'>[];
    return rows.map((row) => this.#withStatus(row));
  }

  /** Reads the row by a SELECT, because TypeORM returns the rows of an UPDATE in another shape. */
  async #changed(executor: SqlExecutor, statement: string, values: unknown[]): Promise<ApiKey | undefined> {
    const [row] = (await executor.query(
      `WITH changed AS (${statement}) SELECT ${this.#shown}`,
      values,
    )) as Omit<ApiKey, 'status'>[];
    return row && this.#withStatus(row);
  }

  #withStatus(row: Omit<ApiKey, 'status'>): ApiKey {
    return { ...row, status: statusOf(row, this.time.now().getTime()) };
  }
}
