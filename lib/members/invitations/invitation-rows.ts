import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { registrySchema } from '../../registry/registry-schema';
import { recordEvent } from '../../registry/events/event-outbox';
import type { NewEvent } from '../../registry/events/tenant-event';
import { foldEmail } from '../email-address';
import type { Keyed } from '../members-lock';
import type { Invitation, InvitationStatus } from './invitation';

export interface InvitationQuery {
  /** An integer from 1. */
  readonly limit: number;
  /** Only invitations whose id sorts after it: pages follow the order in which they were made. */
  readonly afterId?: string;
  /** Also those that are no longer pending. Default false. */
  readonly all?: boolean;
}

export interface NewInvitation extends Pick<Invitation, 'email' | 'anyEmail' | 'roles' | 'scopes'> {
  readonly id: string;
  readonly tenantId: string;
  readonly invitedBy: string | undefined;
  readonly digest: Buffer;
  readonly ttlMs: number;
}

/** How long an invitation that has ended is kept. */
const KEPT_DAYS = 90;

const STATUS = `CASE WHEN i.status = 'pending' AND i.expires_at <= pg_catalog.clock_timestamp() THEN 'expired' ELSE i.status END`;
const COLUMNS = `i.id, i.tenant_id AS "tenantId", i.email, i.any_email AS "anyEmail", i.roles, i.scopes, ${STATUS} AS status,
  i.invited_by AS "invitedBy", i.member_id AS "memberId", i.expires_at AS "expiresAt", i.created_at AS "createdAt",
  i.updated_at AS "updatedAt", i.version`;
const LATER = (value: string) =>
  `pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => ${value}::double precision / 1000)`;

/** The SQL of invitations. What changes one is called with its tenant's members locked. */
@Injectable()
export class InvitationRows {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  get #schema(): string {
    return quoteIdentifier(registrySchema(this.registry));
  }

  get #invitations(): string {
    return `${this.#schema}.tenant_invitations`;
  }

  async find(executor: SqlExecutor, tenantId: string, id: string): Promise<Invitation | undefined> {
    const [row] = (await executor.query(
      `SELECT ${COLUMNS} FROM ${this.#invitations} i WHERE i.tenant_id = $1 AND i.id = $2`,
      [tenantId, id],
    )) as Invitation[];
    return row;
  }

  /** That with its digest, whatever the tenant. */
  async findById(executor: SqlExecutor, id: string): Promise<Keyed<Invitation> | undefined> {
    const [row] = (await executor.query(
      `SELECT ${COLUMNS}, i.digest FROM ${this.#invitations} i WHERE i.id = $1`,
      [id],
    )) as (Invitation & { digest: Buffer })[];
    if (!row) return undefined;
    const { digest, ...invitation } = row;
    return { row: invitation, digest };
  }

  async list(executor: SqlExecutor, tenantId: string, query: InvitationQuery): Promise<Invitation[]> {
    const { limit, afterId, all = false } = query;
    return (await executor.query(
      `SELECT ${COLUMNS} FROM ${this.#invitations} i
       WHERE i.tenant_id = $1 AND ($2::uuid IS NULL OR i.id > $2) AND ($3 OR ${STATUS} = 'pending')
       ORDER BY i.id LIMIT $4`,
      [tenantId, afterId ?? null, all, limit],
    )) as Invitation[];
  }

  /** The pending invitation of an address, other than `id`. */
  async findPending(
    executor: SqlExecutor,
    tenantId: string,
    email: string,
    id: string,
  ): Promise<Invitation | undefined> {
    const [row] = (await executor.query(
      `SELECT ${COLUMNS} FROM ${this.#invitations} i
       WHERE i.tenant_id = $1 AND i.email_folded = $2 AND i.id <> $3 AND ${STATUS} = 'pending'`,
      [tenantId, foldEmail(email), id],
    )) as Invitation[];
    return row;
  }

  async countPending(executor: SqlExecutor, tenantId: string, exceptId: string): Promise<number> {
    const [{ count }] = (await executor.query(
      `SELECT pg_catalog.count(*)::integer AS count FROM ${this.#invitations} i
       WHERE i.tenant_id = $1 AND i.id <> $2 AND ${STATUS} = 'pending'`,
      [tenantId, exceptId],
    )) as { count: number }[];
    return count;
  }

  /** Marks those whose time is over, so that their addresses can be invited again, and deletes what ended long ago. */
  async tidy(executor: SqlExecutor, tenantId: string): Promise<void> {
    await executor.query(
      `UPDATE ${this.#invitations} SET status = 'expired', version = version + 1, updated_at = expires_at
       WHERE tenant_id = $1 AND status = 'pending' AND expires_at <= pg_catalog.clock_timestamp()`,
      [tenantId],
    );
    await executor.query(
      `DELETE FROM ${this.#invitations} WHERE tenant_id = $1 AND status <> 'pending'
         AND updated_at < pg_catalog.clock_timestamp() - pg_catalog.make_interval(days => ${KEPT_DAYS})`,
      [tenantId],
    );
  }

  /**
   * If the id exists, an earlier attempt of the same request made it and its secret was never shown, so it gets a new one.
   * `undefined` when it has ended meanwhile.
   */
  async insert(executor: SqlExecutor, invitation: NewInvitation): Promise<Invitation | undefined> {
    const { id, tenantId, email, anyEmail, roles, scopes, digest, invitedBy, ttlMs } = invitation;
    const [row] = (await executor.query(
      `WITH i AS (
         INSERT INTO ${this.#invitations} AS known
           (id, tenant_id, email, email_folded, any_email, roles, scopes, digest, invited_by, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, ${LATER('$10')})
         ON CONFLICT (id) DO UPDATE SET digest = EXCLUDED.digest, version = known.version + 1
           WHERE known.tenant_id = EXCLUDED.tenant_id AND known.status = 'pending'
         RETURNING *)
       SELECT ${COLUMNS} FROM i`,
      [
        ...[id, tenantId, email, foldEmail(email), anyEmail, roles, scopes, digest],
        ...[invitedBy ?? null, ttlMs],
      ],
    )) as Invitation[];
    return row;
  }

  /** A new secret, and the whole time anew. */
  async renew(executor: SqlExecutor, id: string, digest: Buffer, ttlMs: number): Promise<Invitation> {
    return this.#change(executor, id, `digest = $2, expires_at = ${LATER('$3')}, status = 'pending'`, [
      ...[digest, ttlMs],
    ]);
  }

  async end(
    executor: SqlExecutor,
    id: string,
    status: InvitationStatus,
    memberId: string | null = null,
  ): Promise<Invitation> {
    return this.#change(executor, id, 'status = $2, member_id = $3', [status, memberId]);
  }

  record(executor: SqlExecutor, event: NewEvent): Promise<string> {
    return recordEvent(executor, this.#schema, event);
  }

  /** Reads the row by a SELECT, because TypeORM returns the rows of an UPDATE in another shape. */
  async #change(executor: SqlExecutor, id: string, sets: string, values: unknown[]): Promise<Invitation> {
    const [row] = (await executor.query(
      `WITH i AS (
         UPDATE ${this.#invitations} SET ${sets}, version = version + 1, updated_at = pg_catalog.clock_timestamp()
         WHERE id = $1 RETURNING *)
       SELECT ${COLUMNS} FROM i`,
      [id, ...values],
    )) as Invitation[];
    return row;
  }
}
