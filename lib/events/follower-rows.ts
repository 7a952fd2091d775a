import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { thisProcess } from '../common/this-process';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { EVENT_COLUMNS, type EventRow, toEvent } from '../registry/events/event-trail';
import { NOBODY } from '../registry/events/event-tables';
import type { TenantEvent } from '../registry/events/tenant-event';
import { askRegistry } from '../registry/store/registry-transaction';
import { type CheckedFollowOptions, PAGE_SIZE } from './follow.options';
import { likePatterns } from './type-patterns';

/** A tenant's events that an instance has claimed for a follower. */
export interface Claim {
  /** Another instance that claims them later has another id. */
  readonly id: string;
  readonly follower: string;
  /** `undefined`: the events of no tenant. */
  readonly tenantId: string | undefined;
  /** Up to this sequence the follower has had them. */
  readonly after: string;
  /** Up to this one it is known that there are some for it. */
  readonly until: string;
  /** How often these were tried, or the tenant was looked at, in vain. */
  readonly attempts: number;
  /** The next ones in their order. None when the trail has been pruned since. */
  readonly events: readonly TenantEvent[];
}

/** How far a follower has come with a claim. */
export interface Reached {
  readonly sequence: string;
  /** When the last of those happened. */
  readonly at: Date | undefined;
}

/** The events at which a claim ends, and why. */
export interface Failure {
  readonly attempts: number;
  readonly error: string;
  readonly waitMs: number;
}

export interface Noticed {
  /** How many events were looked at. */
  readonly found: number;
  /** Tenants of which they say that something has become of them. */
  readonly changed: readonly string[];
}

/** How many events of the trail are looked at in one statement. */
export const LOOKED_AT = 1_000;

/** A page of events ends where they are larger than this, but has one at least. */
const PAGE_BYTES = 1_048_576;

/** No wait of ours is so long. PostgreSQL's clock was far ahead, and was set back. */
const LONGEST_WAIT = `interval '2 hours'`;

/** How late a tenant may be looked at again of whose activation nothing was told. */
const MAX_PARKED_MS = 60_000;

/** The SQL of followers. Every time in it is PostgreSQL's, which all instances share. */
@Injectable()
export class FollowerRows {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  /**
   * Makes a follower known. Where it has other types than before, claims that were made with those are void, and
   * instances that still have them get nothing more.
   */
  async register({ name, types, as, from }: CheckedFollowOptions): Promise<void> {
    const values = [name, sorted(types), as === 'system', from === 'now'];
    await this.#query(
      (schema) => `
        WITH changed AS (
          INSERT INTO ${schema}.event_followers AS f (name, types, as_system, position)
          VALUES ($1, $2, $3, CASE WHEN $4::boolean
            THEN coalesce((SELECT pg_catalog.max(position) FROM ${schema}.tenant_events), 0) ELSE 0 END)
          ON CONFLICT (name) DO UPDATE SET types = excluded.types, as_system = excluded.as_system
          WHERE (f.types, f.as_system) IS DISTINCT FROM (excluded.types, excluded.as_system) RETURNING name)
        UPDATE ${schema}.event_backlogs b SET claim_id = NULL, due_at = pg_catalog.clock_timestamp()
        FROM changed WHERE b.follower = changed.name AND b.claim_id IS NOT NULL`,
      values,
    );
  }

  /**
   * Looks at the next events of the trail, and notes for which tenants the follower is behind. `undefined` when instances
   * with other types have taken the follower over.
   */
  async notice({ name, types, as }: CheckedFollowOptions): Promise<Noticed | undefined> {
    // A sealer gives positions in the order of its commits, so no later event ever gets one that was passed over here.
    const [{ isCurrent, ...noticed }] = await this.#query<Noticed & { readonly isCurrent: boolean }>(
      (schema) => `
        WITH follower AS MATERIALIZED (
          SELECT name, position FROM ${schema}.event_followers
          WHERE name = $1 AND types = $2 AND as_system = $3 FOR NO KEY UPDATE SKIP LOCKED),
        page AS MATERIALIZED (
          SELECT e.position, coalesce(e.tenant_id, '${NOBODY}') AS tenant_id, e.sequence, e.type, e.occurred_at
          FROM follower, ${schema}.tenant_events e WHERE e.position > follower.position
          ORDER BY e.position LIMIT ${LOOKED_AT}),
        moved AS (
          UPDATE ${schema}.event_followers f SET position = last.position
          FROM (SELECT pg_catalog.max(position) AS position FROM page) last
          WHERE f.name = $1 AND last.position IS NOT NULL),
        behind AS (
          INSERT INTO ${schema}.event_backlogs AS b (follower, tenant_id, after_sequence, until_sequence, since)
          SELECT $1, tenant_id, pg_catalog.min(sequence) - 1, pg_catalog.max(sequence), pg_catalog.min(occurred_at)
          FROM page WHERE type LIKE ANY ($4) AND ($3 OR tenant_id <> '${NOBODY}')
          GROUP BY tenant_id ORDER BY tenant_id
          ON CONFLICT (follower, tenant_id) DO UPDATE SET until_sequence = excluded.until_sequence),
        overdue AS (
          UPDATE ${schema}.event_backlogs SET due_at = pg_catalog.clock_timestamp()
          WHERE follower = $1 AND due_at > pg_catalog.clock_timestamp() + ${LONGEST_WAIT})
        SELECT pg_catalog.count(*)::int AS found,
          coalesce(pg_catalog.array_agg(DISTINCT tenant_id) FILTER (WHERE type LIKE 'tenant.%'), '{}') AS changed,
          EXISTS (SELECT FROM ${schema}.event_followers
                  WHERE name = $1 AND types = $2 AND as_system = $3) AS "isCurrent"
        FROM page`,
      [name, sorted(types), as === 'system', likePatterns(types)],
    );
    return isCurrent ? noticed : undefined;
  }

  /** Has parked tenants looked at again: something has become of them. */
  async unpark({ name }: CheckedFollowOptions, tenantIds: readonly string[]): Promise<void> {
    // One that is being looked at just now may be parked again a moment later, for what it was before; but not for long.
    await this.#query(
      (schema) => `
        UPDATE ${schema}.event_backlogs SET attempts = -1,
          due_at = CASE WHEN claim_id IS NULL THEN pg_catalog.clock_timestamp() ELSE due_at END
        WHERE follower = $1 AND tenant_id = ANY ($2) AND (is_parked OR claim_id IS NOT NULL)`,
      [name, tenantIds],
    );
  }

  /**
   * Claims the events of at most `limit` tenants that are due, those that have waited longest first. Should the answer be
   * lost, `release` lets go of what was claimed by this `id`.
   */
  async claim(
    { name, types }: CheckedFollowOptions,
    id: string,
    limit: number,
    leaseMs: number,
  ): Promise<Claim[]> {
    const rows = await this.#query<ClaimRow>(
      (schema) => `
        WITH due AS (
          SELECT b.tenant_id FROM ${schema}.event_backlogs b
          WHERE b.follower = $1 AND b.due_at <= pg_catalog.clock_timestamp()
            AND EXISTS (SELECT FROM ${schema}.event_followers WHERE name = $1 AND types = $6)
          ORDER BY b.due_at LIMIT $2 FOR UPDATE SKIP LOCKED),
        claimed AS (
          UPDATE ${schema}.event_backlogs b SET claim_id = $3, holder = $4, due_at = ${after('$5')}
          FROM due WHERE b.follower = $1 AND b.tenant_id = due.tenant_id
          RETURNING b.tenant_id, b.after_sequence, b.until_sequence,
            CASE WHEN b.is_parked THEN 0 ELSE GREATEST(b.attempts, 0) END AS attempts)
        SELECT c.tenant_id AS "ofTenant", c.after_sequence AS "after", c.until_sequence AS "until", c.attempts, e.*
        FROM claimed c LEFT JOIN LATERAL (${pageOfClaim(schema)}) e ON true
        ORDER BY c.tenant_id, e.sequence`,
      [name, limit, id, thisProcess(), leaseMs, sorted(types), likePatterns(types)],
    );
    const claims = new Map<string, Claim & { readonly events: TenantEvent[] }>();
    for (const { ofTenant, after, until, attempts, ...row } of rows) {
      const tenantId = ofTenant === NOBODY ? undefined : ofTenant;
      const claim = claims.get(ofTenant) ?? {
        ...{ id, follower: name, tenantId, after, until, attempts },
        events: [],
      };
      claims.set(ofTenant, claim);
      if (row.id !== null) claim.events.push(toEvent(row));
    }
    return [...claims.values()];
  }

  /** Lets go of what was claimed by an id whose claims nobody got to know. */
  async release(name: string, id: string): Promise<void> {
    await this.#affects(
      (schema) => `
        UPDATE ${schema}.event_backlogs SET claim_id = NULL, due_at = pg_catalog.clock_timestamp()
        WHERE follower = $1 AND claim_id = $2`,
      [name, id],
    );
  }

  /** Keeps a claim for longer. False when it belongs to another instance by now. */
  renew(claim: Claim, leaseMs: number): Promise<boolean> {
    return this.#update(claim, `due_at = ${after('$4')}`, [leaseMs]);
  }

  /** Ends a claim whose events were handled up to there. False when it belongs to another instance by now. */
  async finish(claim: Claim, { sequence, at }: Reached): Promise<boolean> {
    // Two statements, because one alone would not see that the tenant has more events since it began.
    const isCaughtUp = await this.#affects(
      (schema) => `
        DELETE FROM ${schema}.event_backlogs
        WHERE follower = $1 AND tenant_id = $2 AND claim_id = $3 AND until_sequence <= $4`,
      [...keyOf(claim), sequence],
    );
    return (
      isCaughtUp ||
      this.#end(claim, `${REACHED}, attempts = 0, error = NULL, due_at = ${after('0')}`, [sequence, at])
    );
  }

  /** Ends a claim whose events were handled up to there, and the next ones failed. They are tried again after `waitMs`. */
  fail(claim: Claim, { sequence, at }: Reached, { attempts, error, waitMs }: Failure): Promise<boolean> {
    const changes = `${REACHED}, attempts = $6, error = $7, due_at = ${after('$8')}`;
    return this.#end(claim, changes, [sequence, at, attempts, error, waitMs]);
  }

  /** Ends a claim of a tenant that may not have its events now. It is looked at again after a second, then ever later. */
  park(claim: Claim, why: string): Promise<boolean> {
    const wait = `LEAST(${MAX_PARKED_MS}, 1000 * pg_catalog.power(2, LEAST(attempts, 20)))`;
    const changes = `attempts = attempts + 1, error = $4, due_at = ${after(wait)}`;
    return this.#end(claim, changes, [why], true);
  }

  /** Forgets how far the follower has come with a tenant that is no more. */
  async drop({ follower, tenantId }: Claim): Promise<void> {
    await this.#query(
      (schema) => `DELETE FROM ${schema}.event_backlogs WHERE follower = $1 AND tenant_id = $2`,
      [follower, tenantId ?? NOBODY],
    );
  }

  /** Forgets a follower, with how far it has come. */
  forget(name: string): Promise<boolean> {
    return this.#affects((schema) => `DELETE FROM ${schema}.event_followers WHERE name = $1`, [name]);
  }

  #end(claim: Claim, changes: string, values: readonly unknown[], isParked = false): Promise<boolean> {
    return this.#update(claim, `is_parked = ${isParked}, claim_id = NULL, ${changes}`, values);
  }

  #update(claim: Claim, changes: string, values: readonly unknown[]): Promise<boolean> {
    return this.#affects(
      (schema) => `
        UPDATE ${schema}.event_backlogs SET ${changes} WHERE follower = $1 AND tenant_id = $2 AND claim_id = $3`,
      [...keyOf(claim), ...values],
    );
  }

  /** Whether it changed or deleted a row. */
  async #affects(sql: (schema: string) => string, values: unknown[]): Promise<boolean> {
    const [, count] = await this.#query<unknown>(sql, values);
    return count !== 0;
  }

  #query<Row>(sql: (schema: string) => string, values: unknown[]): Promise<Row[]> {
    return askRegistry(this.registry, sql, values);
  }
}

/** Of a claim's tenant, beside an event, whose fields are missing where there is none. */
type ClaimRow = Omit<Claim, 'id' | 'follower' | 'tenantId' | 'events'> & {
  readonly ofTenant: string;
} & ({ readonly id: null } | EventRow);

/** The next events of the claim `c`, as many as go into a page. */
function pageOfClaim(schema: string): string {
  const events = (whose: string) => `
    (SELECT * FROM ${schema}.tenant_events t
     WHERE ${whose} AND t.sequence > c.after_sequence AND t.sequence <= c.until_sequence AND t.type LIKE ANY ($7)
     ORDER BY t.sequence LIMIT ${PAGE_SIZE})`;
  return `
    SELECT ${EVENT_COLUMNS} FROM (
      SELECT w.*, pg_catalog.sum(pg_catalog.octet_length(w.data::text)) OVER (ORDER BY w.sequence)
        - pg_catalog.octet_length(w.data::text) AS ahead
      FROM (${events('t.tenant_id = c.tenant_id')} UNION ALL
            ${events(`c.tenant_id = '${NOBODY}' AND t.tenant_id IS NULL`)}) w) e
    WHERE e.ahead < ${PAGE_BYTES}`;
}

/** PostgreSQL's time in so many milliseconds. */
function after(ms: string): string {
  return `pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => (${ms})::float8 / 1000)`;
}

const REACHED = 'after_sequence = $4, since = coalesce($5, since)';

const keyOf = ({ follower, tenantId, id }: Claim): unknown[] => [follower, tenantId ?? NOBODY, id];

/** The order in which an instance names them means nothing. */
const sorted = (types: readonly string[]): string[] => [...new Set(types)].sort();
