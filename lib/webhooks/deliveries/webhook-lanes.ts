import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { quoteIdentifier } from '../../common/sql';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { registrySchema } from '../../registry/registry-schema';
import { askRegistry, inRegistry } from '../../registry/store/registry-transaction';
import { DISABLED_AFTER_MS, FAILING_AFTER } from './retry-schedule';

/** The way to one endpoint, leased to this instance, and what is due there. */
export interface ClaimedLane {
  readonly endpointId: string;
  readonly tenantId: string;
  readonly token: string;
  /** How many attempts have failed in a row. */
  readonly failures: number;
  readonly url: string;
  readonly isEnabled: boolean;
  readonly due: readonly DueDelivery[];
}

export interface DueDelivery {
  readonly id: string;
  readonly eventId: string;
  readonly payload: string;
  /** How many attempts were made. */
  readonly attempt: number;
}

export interface ClaimOptions {
  readonly token: string;
  readonly leaseMs: number;
  /** How many lanes at most. */
  readonly lanes: number;
  /** How many of them may be of receivers that fail. */
  readonly failing: number;
  /** How many deliveries of each. */
  readonly batch: number;
}

/** What became of an attempt. */
export interface AttemptOutcome {
  readonly id: string;
  readonly result: 'delivered' | 'pending' | 'dead';
  /** For one that is still pending: when the next attempt is due. */
  readonly delayMs: number;
  readonly at: Date;
  readonly status: number | null;
  readonly durationMs: number;
  readonly error: string | null;
}

/** What became of a claimed lane. */
export interface LaneOutcome {
  readonly endpointId: string;
  readonly token: string;
  readonly attempts: readonly AttemptOutcome[];
  /** How many attempts have failed in a row by now. */
  readonly failures: number;
  /** Whether any has arrived. */
  readonly hasArrived: boolean;
  /** Nothing more is sent for so long. */
  readonly holdMs: number;
  /** The receiver has answered 410. */
  readonly isGone: boolean;
}

/** An endpoint that was disabled because of what its receiver answers. */
export interface DisabledEndpoint {
  readonly id: string;
  readonly tenantId: string;
  readonly url: string;
  readonly reason: string;
}

/** Called in the transaction in which the endpoint is disabled. */
export type WhenDisabled = (manager: EntityManager, endpoint: DisabledEndpoint) => Promise<void>;

/** As many failures in a row: the jump of a clock alone disables no endpoint. */
const DISABLED_AFTER_FAILURES = 10;

/** One that ends later was made before PostgreSQL's clock was set back. */
const LONGEST_LEASE_MS = 600_000;

const GONE = 'The receiver answered 410 Gone.';
const FAILED = 'Nothing has arrived for 5 days.';

/**
 * The SQL of sending. Every time in it is PostgreSQL's, which all instances share. `statement_timestamp()`, since an index can be
 * searched by it.
 */
@Injectable()
export class WebhookLanes {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  /**
   * Leases lanes that have something due and that no instance has, longest due first, with their first deliveries; of a
   * receiver that fails, a single one.
   */
  async claim({ token, leaseMs, lanes, failing, batch }: ClaimOptions): Promise<ClaimedLane[]> {
    const free = (schema: string, of: string, limit: string) => `
      SELECT l.endpoint_id FROM ${schema}.webhook_lanes l
      WHERE l.next_at <= statement_timestamp() AND ${of}
        AND (l.lease_until IS NULL OR l.lease_until <= statement_timestamp()
          OR l.lease_until > statement_timestamp() + ${ms(LONGEST_LEASE_MS)})
      ORDER BY l.next_at LIMIT ${limit} FOR UPDATE SKIP LOCKED`;
    const [claimed] = await askRegistry<[LaneRow[], number]>(
      this.registry,
      (schema) => `
        WITH sound AS (${free(schema, `l.failures < ${FAILING_AFTER}`, '$3')}),
             failing AS (${free(schema, `l.failures >= ${FAILING_AFTER}`, '$4')})
        UPDATE ${schema}.webhook_lanes l
        SET lease_token = $1, lease_until = statement_timestamp() + ${ms('$2')}
        WHERE l.endpoint_id IN (
          SELECT endpoint_id FROM (SELECT * FROM failing UNION ALL SELECT * FROM sound) AS picked LIMIT $3)
        RETURNING l.endpoint_id AS "endpointId", l.tenant_id AS "tenantId", l.failures`,
      [token, leaseMs, lanes, failing],
    );
    if (claimed.length === 0) return [];
    // A statement of its own: it sees what the instance that had the lane before has written.
    const rows = await askRegistry<DueRow[]>(
      this.registry,
      (schema) => `
        SELECT e.id AS "endpointId", e.url, e.status = 'enabled' AS "isEnabled", d.id, d.event_id AS "eventId",
          d.payload, d.attempt
        FROM ${schema}.webhook_endpoints e LEFT JOIN LATERAL (
          SELECT * FROM ${schema}.webhook_deliveries d
          WHERE d.endpoint_id = e.id AND d.status = 'pending' AND d.next_attempt_at <= statement_timestamp()
          ORDER BY d.next_attempt_at
          LIMIT CASE WHEN e.id = ANY ($2::uuid[]) THEN 1 ELSE $3::int END) d ON e.status = 'enabled'
        WHERE e.id = ANY ($1::uuid[]) ORDER BY d.next_attempt_at`,
      [
        claimed.map(({ endpointId }) => endpointId),
        claimed.filter(({ failures }) => failures >= FAILING_AFTER).map(({ endpointId }) => endpointId),
        batch,
      ],
    );
    return claimed.flatMap((lane) => {
      const own = rows.filter(({ endpointId }) => endpointId === lane.endpointId);
      // It was deleted meanwhile, and its lane with it.
      if (own.length === 0) return [];
      const due = own.flatMap(({ id, eventId, payload, attempt }) =>
        id === null ? [] : [{ id, eventId, payload, attempt }],
      );
      return [{ ...lane, token, url: own[0].url, isEnabled: own[0].isEnabled, due }];
    });
  }

  /**
   * Writes what became of lanes, and frees them. What an instance has sent after it lost a lane counts all the same; the
   * lane stays with the one that has it.
   */
  settle(outcomes: readonly LaneOutcome[], whenDisabled: WhenDisabled): Promise<void> {
    return inRegistry(this.registry, async (manager) => {
      const ids = outcomes.map(({ endpointId }) => endpointId);
      await this.#lock(manager, ids);
      await this.#writeAttempts(
        manager,
        outcomes.flatMap(({ attempts }) => attempts),
      );
      await this.#writeHealth(
        manager,
        outcomes.filter(({ attempts }) => attempts.length > 0),
        whenDisabled,
      );
      await this.#free(manager, outcomes);
    });
  }

  /** In the order in which all lock them. What is added is noted in the lane, before or after this. */
  async #lock(manager: EntityManager, ids: readonly string[]): Promise<void> {
    await manager.query(
      `SELECT FROM ${this.#schema}.webhook_endpoints e JOIN ${this.#schema}.webhook_lanes l ON l.endpoint_id = e.id
       WHERE e.id = ANY ($1::uuid[]) ORDER BY e.id FOR NO KEY UPDATE`,
      [ids],
    );
  }

  async #writeAttempts(manager: EntityManager, attempts: readonly AttemptOutcome[]): Promise<void> {
    if (attempts.length === 0) return;
    await manager.query(
      `WITH given AS MATERIALIZED (
         SELECT * FROM json_to_recordset($1) AS g (id uuid, result text, "delayMs" float8, at timestamptz,
           status int, "durationMs" int, error text)),
       written AS (
         UPDATE ${this.#schema}.webhook_deliveries d SET attempt = d.attempt + 1, status = g.result,
           next_attempt_at = CASE WHEN g.result = 'pending' THEN statement_timestamp() + ${ms('g."delayMs"')}
                             ELSE d.next_attempt_at END,
           finished_at = CASE WHEN g.result = 'pending' THEN NULL ELSE statement_timestamp() END
         FROM given g WHERE d.id = g.id AND d.status = 'pending' RETURNING d.id)
       INSERT INTO ${this.#schema}.webhook_attempts (delivery_id, at, status, duration_ms, error)
       SELECT g.id, g.at, g.status, g."durationMs", g.error FROM given g JOIN written w ON w.id = g.id ORDER BY g.at`,
      [JSON.stringify(attempts)],
    );
  }

  /** Since when nothing arrives, and what is disabled for it. Most of the time it changes nothing. */
  async #writeHealth(
    manager: EntityManager,
    outcomes: readonly LaneOutcome[],
    whenDisabled: WhenDisabled,
  ): Promise<void> {
    if (outcomes.length === 0) return;
    const given = `json_to_recordset($1) AS g (id uuid, "hasArrived" boolean, failures int, "isGone" boolean)`;
    const values = JSON.stringify(outcomes.map((each) => ({ ...each, id: each.endpointId })));
    await manager.query(
      `UPDATE ${this.#schema}.webhook_endpoints e
       SET first_failed_at = CASE WHEN g.failures > 0 THEN statement_timestamp() END
       FROM ${given} WHERE e.id = g.id AND (
         (g.failures > 0 AND (e.first_failed_at IS NULL OR g."hasArrived"))
         OR (g.failures = 0 AND e.first_failed_at IS NOT NULL))`,
      [values],
    );
    const [disabled] = await manager.query<[DisabledEndpoint[], number]>(
      `UPDATE ${this.#schema}.webhook_endpoints e
       SET status = 'disabled', version = e.version + 1, updated_at = statement_timestamp(),
         disabled_reason = CASE WHEN g."isGone" THEN '${GONE}' ELSE '${FAILED}' END
       FROM ${given} WHERE e.id = g.id AND e.status = 'enabled' AND (g."isGone" OR (
         g.failures >= ${DISABLED_AFTER_FAILURES}
         AND e.first_failed_at <= statement_timestamp() - ${ms(DISABLED_AFTER_MS)}))
       RETURNING e.id, e.tenant_id AS "tenantId", e.url, e.disabled_reason AS reason`,
      [values],
    );
    for (const endpoint of disabled) await whenDisabled(manager, endpoint);
  }

  /** The next time is read anew: what was added since the claim is seen here, or is noted after this. */
  async #free(manager: EntityManager, outcomes: readonly LaneOutcome[]): Promise<void> {
    await manager.query(
      `UPDATE ${this.#schema}.webhook_lanes l
       SET lease_until = NULL, lease_token = NULL, failures = g.failures,
         hold_until = CASE WHEN g."holdMs" > 0 THEN statement_timestamp() + ${ms('g."holdMs"')} END, next_at = (
         SELECT GREATEST(d.next_attempt_at, statement_timestamp() + ${ms('g."holdMs"')})
         FROM ${this.#schema}.webhook_deliveries d
         WHERE d.endpoint_id = l.endpoint_id AND d.status = 'pending' ORDER BY d.next_attempt_at LIMIT 1)
       FROM json_to_recordset($1) AS g ("endpointId" uuid, token uuid, failures int, "holdMs" float8)
       WHERE l.endpoint_id = g."endpointId" AND l.lease_token = g.token`,
      [JSON.stringify(outcomes.map((each) => ({ ...each, attempts: undefined })))],
    );
  }

  get #schema(): string {
    return quoteIdentifier(registrySchema(this.registry));
  }
}

interface LaneRow {
  readonly endpointId: string;
  readonly tenantId: string;
  readonly failures: number;
}

/** Of an endpoint with nothing due, all of the delivery is null. */
type DueRow = Omit<DueDelivery, 'id'> & {
  readonly id: string | null;
  readonly endpointId: string;
  readonly url: string;
  readonly isEnabled: boolean;
};

/** SQL: an interval of so many milliseconds. */
function ms(value: string | number): string {
  return `pg_catalog.make_interval(secs => ${value}::float8 / 1000)`;
}
