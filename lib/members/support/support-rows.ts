import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { recordEvent } from '../../registry/events/event-outbox';
import type { NewEvent } from '../../registry/events/tenant-event';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { registrySchema } from '../../registry/registry-schema';
import type { SupportAccess, SupportSession } from './support-session';

export interface SupportQuery {
  /** An integer from 1. */
  readonly limit: number;
  /** Only sessions whose id sorts after it: pages follow the order in which they began. */
  readonly afterId?: string;
}

/** The columns that are needed to let somebody in. */
export interface SupportSecrets {
  readonly id: string;
  readonly tenantId: string;
  readonly digest: Buffer;
  readonly actor: string;
  readonly reason: string;
  readonly scopes: readonly string[];
  readonly approvedAt: Date | null;
  readonly firstUsedAt: Date | null;
  readonly expiresAt: Date;
  readonly endedAs: 'revoked' | 'expired' | 'lapsed' | null;
}

export interface NewSupportSession extends Pick<
  SupportSession,
  'id' | 'tenantId' | 'actor' | 'reason' | 'scopes' | 'minutes'
> {
  readonly digest: Buffer;
  readonly isApproved: boolean;
}

const STATUS = `CASE WHEN s.ended_as IS NOT NULL THEN s.ended_as
  WHEN s.expires_at <= pg_catalog.clock_timestamp() THEN CASE WHEN s.approved_at IS NULL THEN 'lapsed' ELSE 'expired' END
  WHEN s.approved_at IS NULL THEN 'waiting' ELSE 'open' END`;
const COLUMNS = `s.id, s.tenant_id AS "tenantId", s.actor, s.reason, s.scopes, s.minutes, ${STATUS} AS status,
  s.approved_by AS "approvedBy", s.approved_at AS "approvedAt", s.first_used_at AS "firstUsedAt", s.expires_at AS "expiresAt",
  s.ended_at AS "endedAt", s.created_at AS "createdAt", s.version`;
const LATER = (minutes: string) =>
  `pg_catalog.clock_timestamp() + pg_catalog.make_interval(mins => ${minutes})`;
const SWEPT_AT_ONCE = 100;

/** The SQL of support sessions. */
@Injectable()
export class SupportRows {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  get #schema(): string {
    return quoteIdentifier(registrySchema(this.registry));
  }

  get #sessions(): string {
    return `${this.#schema}.tenant_support_sessions`;
  }

  async findSecrets(executor: SqlExecutor, ids: readonly string[]): Promise<SupportSecrets[]> {
    return (await executor.query(
      `SELECT s.id, s.tenant_id AS "tenantId", s.digest, s.actor, s.reason, s.scopes, s.approved_at AS "approvedAt",
         s.first_used_at AS "firstUsedAt", s.expires_at AS "expiresAt", s.ended_as AS "endedAs"
       FROM ${this.#sessions} s WHERE s.id = ANY ($1::uuid[])`,
      [ids],
    )) as SupportSecrets[];
  }

  /** With `lock`, others cannot change it until the transaction ends. */
  async find(
    executor: SqlExecutor,
    tenantId: string,
    id: string,
    lock = false,
  ): Promise<SupportSession | undefined> {
    const [row] = (await executor.query(
      `SELECT ${COLUMNS} FROM ${this.#sessions} s WHERE s.tenant_id = $1 AND s.id = $2
       ${lock ? 'FOR NO KEY UPDATE OF s' : ''}`,
      [tenantId, id],
    )) as SupportSession[];
    return row;
  }

  async list(
    executor: SqlExecutor,
    tenantId: string,
    { limit, afterId }: SupportQuery,
  ): Promise<SupportSession[]> {
    return (await executor.query(
      `SELECT ${COLUMNS} FROM ${this.#sessions} s WHERE s.tenant_id = $1 AND ($2::uuid IS NULL OR s.id > $2)
       ORDER BY s.id LIMIT $3`,
      [tenantId, afterId ?? null, limit],
    )) as SupportSession[];
  }

  /** If the id exists, an earlier attempt of the same request made it, and its credential was never shown. */
  async insert(executor: SqlExecutor, session: NewSupportSession): Promise<SupportSession | undefined> {
    const { id, tenantId, digest, actor, reason, scopes, minutes, isApproved } = session;
    return this.#changed(
      executor,
      `INSERT INTO ${this.#sessions} AS known
         (id, tenant_id, digest, actor, reason, scopes, minutes, approved_at, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $8 THEN pg_catalog.clock_timestamp() END, ${LATER('$7')})
       ON CONFLICT (id) DO UPDATE SET digest = EXCLUDED.digest, version = known.version + 1
         WHERE known.tenant_id = EXCLUDED.tenant_id AND known.ended_as IS NULL
       RETURNING *`,
      [id, tenantId, digest, actor, reason, scopes, minutes, isApproved],
    );
  }

  async approve(executor: SqlExecutor, id: string, by: string | undefined): Promise<SupportSession> {
    const approved = await this.#changed(
      executor,
      `UPDATE ${this.#sessions} SET approved_by = $2, approved_at = pg_catalog.clock_timestamp(),
         expires_at = ${LATER('minutes')}, version = version + 1 WHERE id = $1 RETURNING *`,
      [id, by ?? null],
    );
    return approved!;
  }

  async revoke(executor: SqlExecutor, id: string): Promise<SupportSession> {
    const revoked = await this.#changed(
      executor,
      `UPDATE ${this.#sessions} SET ended_as = 'revoked', ended_at = pg_catalog.clock_timestamp(), version = version + 1
       WHERE id = $1 RETURNING *`,
      [id],
    );
    return revoked!;
  }

  async noteFirstUse(executor: SqlExecutor, id: string): Promise<void> {
    await executor.query(
      `UPDATE ${this.#sessions} SET first_used_at = pg_catalog.clock_timestamp() WHERE id = $1`,
      [id],
    );
  }

  /** Those that are waiting or open, locked. */
  async findLive(executor: SqlExecutor, tenantId: string): Promise<SupportSession[]> {
    return (await executor.query(
      `SELECT ${COLUMNS} FROM ${this.#sessions} s WHERE s.tenant_id = $1 AND s.ended_as IS NULL
         AND s.expires_at > pg_catalog.clock_timestamp() ORDER BY s.id FOR NO KEY UPDATE OF s`,
      [tenantId],
    )) as SupportSession[];
  }

  /** Marks sessions whose time is over, and returns them. No two instances get the same. */
  async endOver(executor: SqlExecutor): Promise<SupportSession[]> {
    return (await executor.query(
      `WITH over AS (
         SELECT id FROM ${this.#sessions}
         WHERE ended_as IS NULL AND expires_at <= pg_catalog.clock_timestamp()
         ORDER BY expires_at LIMIT ${SWEPT_AT_ONCE} FOR NO KEY UPDATE SKIP LOCKED),
       s AS (
         UPDATE ${this.#sessions} SET ended_as = CASE WHEN approved_at IS NULL THEN 'lapsed' ELSE 'expired' END,
           ended_at = expires_at, version = version + 1 WHERE id IN (SELECT id FROM over) RETURNING *)
       SELECT ${COLUMNS} FROM s ORDER BY s.id`,
    )) as SupportSession[];
  }

  /** What the tenant has said; `undefined` when it has said nothing. */
  async findAccess(executor: SqlExecutor, tenantId: string): Promise<SupportAccess | undefined> {
    const [row] = (await executor.query(
      `SELECT access FROM ${this.#schema}.tenant_support_access WHERE tenant_id = $1`,
      [tenantId],
    )) as { access: SupportAccess }[];
    return row?.access;
  }

  async setAccess(executor: SqlExecutor, tenantId: string, access: SupportAccess): Promise<void> {
    await executor.query(
      `INSERT INTO ${this.#schema}.tenant_support_access (tenant_id, access) VALUES ($1, $2)
       ON CONFLICT (tenant_id) DO UPDATE SET access = EXCLUDED.access`,
      [tenantId, access],
    );
  }

  record(executor: SqlExecutor, event: NewEvent): Promise<string> {
    return recordEvent(executor, this.#schema, event);
  }

  async #changed(
    executor: SqlExecutor,
    statement: string,
    values: unknown[],
  ): Promise<SupportSession | undefined> {
    const [row] = (await executor.query(
      `WITH s AS (${statement}) SELECT ${COLUMNS} FROM s`,
      values,
    )) as SupportSession[];
    return row;
  }
}
