import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { lockUntilEnd, quoteIdentifier, type SqlExecutor } from '../common/sql';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { registrySchema } from '../registry/registry-schema';
import { recordEvent } from '../registry/events/event-outbox';
import type { NewEvent } from '../registry/events/tenant-event';
import { foldEmail } from './email-address';
import type { Member, MemberStatus, MemberSubject } from './member';
import type { CheckedMember } from './member-input';
import { OWNER } from './members.options';

/** A place where somebody may belong. */
export interface MemberName extends MemberSubject {
  readonly tenantId: string;
}

/** What a change may set. */
export type MemberValues = Partial<Pick<CheckedMember, 'email' | 'name' | 'roles' | 'scopes'>> & {
  readonly status?: MemberStatus;
};

export interface MemberQuery {
  /** An integer from 1. */
  readonly limit: number;
  /** Only members whose id sorts after it: pages follow the order in which they joined. */
  readonly afterId?: string;
  /** Only those with this address, compared folded. */
  readonly email?: string;
}

const COLUMNS = `m.id, m.tenant_id AS "tenantId", m.issuer, m.subject, m.email, m.name, m.roles, m.scopes, m.status,
  m.version, m.joined_at AS "joinedAt", m.updated_at AS "updatedAt"`;

/** The SQL of members. Every statement names the registry's schema. */
@Injectable()
export class MemberRows {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  get #schema(): string {
    return quoteIdentifier(registrySchema(this.registry));
  }

  get #members(): string {
    return `${this.#schema}.tenant_members`;
  }

  /** With when they were last seen, of `m`. */
  get #shown(): string {
    return `${COLUMNS}, u.last_seen_at AS "lastSeenAt"`;
  }

  get #uses(): string {
    return `LEFT JOIN ${this.#schema}.tenant_member_uses u ON u.member_id = m.id`;
  }

  /**
   * Until the transaction ends, no other one changes the tenant's members, and the tenant is not purged; other changes of
   * the tenant are not held up. `false` for a purged tenant.
   */
  async lock(transaction: SqlExecutor, tenantId: string): Promise<boolean> {
    const [tenant] = (await transaction.query(
      `SELECT status FROM ${this.#schema}.tenants WHERE id = $1 FOR KEY SHARE`,
      [tenantId],
    )) as { status: string }[];
    await lockUntilEnd(transaction, `${this.#members} ${tenantId}`);
    // Tenants of another store are not in these tables.
    return tenant?.status !== 'purged';
  }

  /** Whether each statement of a transaction sees what others have committed before it. */
  async isReadCommitted(transaction: SqlExecutor): Promise<boolean> {
    const [{ level }] = (await transaction.query(
      `SELECT pg_catalog.current_setting('transaction_isolation') AS level`,
    )) as { level: string }[];
    return level.startsWith('read ');
  }

  /** The members of these names, whatever their status, in any order. */
  async findAll(executor: SqlExecutor, names: readonly MemberName[]): Promise<Member[]> {
    return (await executor.query(
      `SELECT ${this.#shown} FROM ROWS FROM (unnest($1::uuid[]), unnest($2::text[]), unnest($3::text[]))
         AS asked (tenant_id, issuer, subject)
       JOIN ${this.#members} m USING (tenant_id, issuer, subject) ${this.#uses}`,
      [
        names.map(({ tenantId }) => tenantId),
        names.map(({ issuer }) => issuer),
        names.map(({ subject }) => subject),
      ],
    )) as Member[];
  }

  async find(executor: SqlExecutor, tenantId: string, id: string): Promise<Member | undefined> {
    const [row] = (await executor.query(
      `SELECT ${this.#shown} FROM ${this.#members} m ${this.#uses} WHERE m.tenant_id = $1 AND m.id = $2`,
      [tenantId, id],
    )) as Member[];
    return row;
  }

  async list(
    executor: SqlExecutor,
    tenantId: string,
    { limit, afterId, email }: MemberQuery,
  ): Promise<Member[]> {
    return (await executor.query(
      `SELECT ${this.#shown} FROM ${this.#members} m ${this.#uses}
       WHERE m.tenant_id = $1 AND ($2::uuid IS NULL OR m.id > $2) AND ($3::text IS NULL OR m.email_folded = $3)
       ORDER BY m.id LIMIT $4`,
      // What is no address is nobody's.
      [tenantId, afterId ?? null, email === undefined ? null : (foldEmail(email) ?? ''), limit],
    )) as Member[];
  }

  /** All that somebody is a member of, active or not, in the order in which they joined. */
  async listOf(
    executor: SqlExecutor,
    { issuer, subject }: MemberSubject,
    { limit, afterId }: Pick<MemberQuery, 'limit' | 'afterId'>,
  ): Promise<Member[]> {
    return (await executor.query(
      `SELECT ${this.#shown} FROM ${this.#members} m ${this.#uses}
       WHERE m.subject = $1 AND m.issuer = $2 AND ($3::uuid IS NULL OR m.id > $3) ORDER BY m.id LIMIT $4`,
      [subject, issuer, afterId ?? null, limit],
    )) as Member[];
  }

  async count(executor: SqlExecutor, tenantId: string): Promise<number> {
    const [{ count }] = (await executor.query(
      `SELECT pg_catalog.count(*)::integer AS count FROM ${this.#members} WHERE tenant_id = $1`,
      [tenantId],
    )) as { count: number }[];
    return count;
  }

  /** Whether the tenant has an active owner besides this member. */
  async hasOtherOwner(executor: SqlExecutor, { tenantId, id }: Member): Promise<boolean> {
    const found = (await executor.query(
      `SELECT FROM ${this.#members}
       WHERE tenant_id = $1 AND id <> $2 AND status = 'active' AND $3 = ANY(roles) LIMIT 1`,
      [tenantId, id, OWNER],
    )) as unknown[];
    return found.length > 0;
  }

  /** The active owners, in the order in which they joined. */
  async listOwners(executor: SqlExecutor, tenantId: string, limit: number): Promise<Member[]> {
    return (await executor.query(
      `SELECT ${this.#shown} FROM ${this.#members} m ${this.#uses}
       WHERE m.tenant_id = $1 AND m.status = 'active' AND $2 = ANY(m.roles) ORDER BY m.id LIMIT $3`,
      [tenantId, OWNER, limit],
    )) as Member[];
  }

  async insert(
    executor: SqlExecutor,
    tenantId: string,
    id: string,
    { issuer, subject, email, name, roles, scopes }: CheckedMember,
  ): Promise<Member> {
    return this.#changed(
      executor,
      `INSERT INTO ${this.#members} (id, tenant_id, issuer, subject, email, email_folded, name, roles, scopes)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *`,
      [id, tenantId, issuer, subject, email, foldEmail(email) ?? null, name, roles, scopes],
    );
  }

  /** The tenant must be locked. */
  async update(executor: SqlExecutor, id: string, values: MemberValues): Promise<Member> {
    const { email } = values;
    const all = { ...values, ...(email === undefined ? {} : { email_folded: foldEmail(email) ?? null }) };
    const sets = Object.keys(all).map((column, index) => `${quoteIdentifier(column)} = $${index + 2}`);
    return this.#changed(
      executor,
      `UPDATE ${this.#members} SET ${sets.join(', ')}, version = version + 1,
         updated_at = pg_catalog.clock_timestamp() WHERE id = $1 RETURNING *`,
      [id, ...(Object.values(all) as unknown[])],
    );
  }

  async remove(executor: SqlExecutor, id: string): Promise<void> {
    await executor.query(`DELETE FROM ${this.#members} WHERE id = $1`, [id]);
  }

  /** Names of all roles that any member has, with how many have each. */
  async countRoles(executor: SqlExecutor): Promise<{ role: string; members: number }[]> {
    return (await executor.query(
      `SELECT role, pg_catalog.count(*)::integer AS members
       FROM ${this.#members} m, unnest(m.roles) AS role GROUP BY role ORDER BY role`,
    )) as { role: string; members: number }[];
  }

  record(executor: SqlExecutor, event: NewEvent): Promise<string> {
    return recordEvent(executor, this.#schema, event);
  }

  /** Writes when members were last seen. Those that are gone are skipped. */
  async recordUses(executor: SqlExecutor, uses: ReadonlyMap<string, Date>): Promise<void> {
    // Always in the same order, so that two instances cannot deadlock.
    const sorted = [...uses].sort(([one], [other]) => (one < other ? -1 : 1));
    await executor.query(
      `INSERT INTO ${this.#schema}.tenant_member_uses AS known (member_id, last_seen_at)
       SELECT m.id, used.at FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS used (id, at, place)
       JOIN ${this.#members} m ON m.id = used.id ORDER BY used.place
       ON CONFLICT (member_id) DO UPDATE SET last_seen_at = EXCLUDED.last_seen_at
         WHERE known.last_seen_at < EXCLUDED.last_seen_at`,
      [sorted.map(([id]) => id), sorted.map(([, at]) => at)],
    );
  }

  /** Reads the row by a SELECT, because TypeORM returns the rows of an UPDATE in another shape. */
  async #changed(executor: SqlExecutor, statement: string, values: unknown[]): Promise<Member> {
    const [row] = (await executor.query(
      `WITH m AS (${statement}) SELECT ${this.#shown} FROM m ${this.#uses}`,
      values,
    )) as Member[];
    return row;
  }
}
