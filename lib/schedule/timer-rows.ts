import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import { thisProcess } from '../common/this-process';
import { recordEventsSql } from '../registry/events/event-sql';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { registrySchema } from '../registry/registry-schema';
import { askRegistry, inRegistry } from '../registry/store/registry-transaction';
import { isIdle, type TimerDecision, type TimerState } from './timer-decision';
import type { ClaimedRun, RunPosition } from './run-progress';
import { MAX_FAILURES, type TenantTimerRun } from './timer-report';

/** What a timer is registered with. */
export interface RegisteredTimer {
  readonly name: string;
  readonly expression: string;
  readonly timeZone: string;
}

export interface TimerRow extends RegisteredTimer {
  readonly skipped: number;
  readonly skippedAt: Date | undefined;
  readonly lastRun: TenantTimerRun | undefined;
}

/** How many runs of a timer are kept. */
const KEPT_RUNS = 100;

/** How runs look in answers. */
const RUN = `name, fire_at AS "fireAt", claim_id AS "claimId", after_id AS "afterId", in_flight AS "inFlight", visited, failed`;

/** The SQL of timers. Every time in it is PostgreSQL's, which all instances share. */
@Injectable()
export class TimerRows {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  /**
   * Makes timers known. One that is new, or has another expression than before, has no fires of the time before:
   * nobody expected them then.
   */
  async register(timers: readonly RegisteredTimer[]): Promise<void> {
    await this.#query(
      (schema) => `
        INSERT INTO ${schema}.timers AS t (name, expression, time_zone)
        SELECT given.name, given.expression, given."timeZone"
        FROM pg_catalog.json_to_recordset($1) AS given (name text, expression text, "timeZone" text)
        ORDER BY given.name
        ON CONFLICT (name) DO UPDATE SET expression = excluded.expression, time_zone = excluded.time_zone,
          decided_until = GREATEST(t.decided_until, pg_catalog.clock_timestamp())
        WHERE (t.expression, t.time_zone) <> (excluded.expression, excluded.time_zone)`,
      [JSON.stringify(timers)],
    );
  }

  /** The states of these timers, by name. */
  async look(names: readonly string[]): Promise<Map<string, TimerState>> {
    const rows = await this.#query<StateRow>((schema) => stateOf(schema, 't.name = ANY ($1)'), [names]);
    return new Map(rows.map((row) => [row.name, toState(row)]));
  }

  /**
   * Writes what `decide` makes of the timer's state, while no other instance can, and gives the run that this one
   * has to begin or to go on with.
   */
  settle(
    name: string,
    claimId: string,
    leaseMs: number,
    decide: (state: TimerState) => TimerDecision,
  ): Promise<ClaimedRun | undefined> {
    return inRegistry(this.registry, async (manager) => {
      await manager.query(`SELECT FROM ${this.#schema}.timers WHERE name = $1 FOR UPDATE`, [name]);
      // A statement of its own: it sees what was committed while this one waited for the lock.
      const rows = await manager.query<StateRow[]>(stateOf(this.#schema, 't.name = $1'), [name]);
      if (rows.length === 0) return undefined;
      const state = toState(rows[0]);
      const decision = decide(state);
      if (isIdle(decision, state)) return undefined;
      const { decidedUntil, skipped, skippedAt } = decision;
      await manager.query(
        `UPDATE ${this.#schema}.timers SET decided_until = $2, skipped = skipped + $3,
           skipped_at = coalesce($4, skipped_at) WHERE name = $1`,
        [name, decidedUntil, skipped, skippedAt ?? null],
      );
      return this.#claim(manager, name, claimId, leaseMs, decision);
    });
  }

  async #claim(
    manager: EntityManager,
    name: string,
    claimId: string,
    leaseMs: number,
    { begin, resume }: TimerDecision,
  ): Promise<ClaimedRun | undefined> {
    const lease = `pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $5::float8 / 1000)`;
    const values = [name, begin ?? resume, claimId, thisProcess(), leaseMs];
    if (begin) {
      const begun = await manager.query<ClaimedRun[]>(
        `INSERT INTO ${this.#schema}.timer_runs (name, fire_at, state, claim_id, holder, lease_until)
         VALUES ($1, $2, 'running', $3, $4, ${lease}) ON CONFLICT DO NOTHING RETURNING ${RUN}`,
        values,
      );
      return begun[0];
    }
    if (!resume) return undefined;
    const [resumed] = await manager.query<[ClaimedRun[], number]>(
      `UPDATE ${this.#schema}.timer_runs SET claim_id = $3, holder = $4, lease_until = ${lease}, resumed = resumed + 1
       WHERE name = $1 AND fire_at = $2 AND state = 'running' AND lease_until <= pg_catalog.clock_timestamp()
       RETURNING ${RUN}`,
      values,
    );
    return resumed[0];
  }

  /**
   * Writes where a run is, and renews its lease by `leaseMs`; 0 gives it up to any instance. False when the run belongs
   * to another one by now.
   */
  async save(run: ClaimedRun, position: RunPosition, leaseMs: number): Promise<boolean> {
    const { afterId, inFlight, visited, failed, failures } = position;
    const saved = await this.#query<object>(
      (schema) => `
        WITH run AS (
          UPDATE ${schema}.timer_runs SET after_id = $4, in_flight = $5::uuid[], visited = $6, failed = $7,
            lease_until = pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $8::float8 / 1000)
          WHERE name = $1 AND fire_at = $2 AND claim_id = $3 AND state = 'running' RETURNING name, fire_at),
        failures AS (${insertFailures(schema, 9)}),
        told AS (${recordFailures(schema, 9)})
        SELECT FROM run`,
      [...keyOf(run), afterId, inFlight, visited, failed, leaseMs, JSON.stringify(failures)],
    );
    return saved.length === 1;
  }

  /** Ends a run, and gives its record. `undefined` when it belongs to another instance by now. */
  async finish(
    run: ClaimedRun,
    { visited, failed, failures }: RunPosition,
    error: string | undefined,
  ): Promise<TenantTimerRun | undefined> {
    const ended = await this.#query<object>(
      (schema) => `
        WITH run AS (
          UPDATE ${schema}.timer_runs SET state = $4, error = $5, visited = $6, failed = $7, in_flight = '{}',
            finished_at = pg_catalog.clock_timestamp()
          WHERE name = $1 AND fire_at = $2 AND claim_id = $3 AND state = 'running' RETURNING name, fire_at),
        failures AS (${insertFailures(schema, 8)}),
        told AS (${recordFailures(schema, 8)}),
        old AS (
          DELETE FROM ${schema}.timer_runs WHERE name = $1 AND fire_at <= (
            SELECT fire_at FROM ${schema}.timer_runs WHERE name = $1 ORDER BY fire_at DESC OFFSET ${KEPT_RUNS} LIMIT 1))
        SELECT FROM run`,
      [
        ...keyOf(run),
        ...[error === undefined ? 'done' : 'broken', error ?? null, visited, failed],
        JSON.stringify(failures),
      ],
    );
    return ended.length === 1 ? (await this.#runs([run.name], run.fireAt)).get(run.name) : undefined;
  }

  /** All timers that any instance has had, by name, each with its last run. */
  async list(): Promise<TimerRow[]> {
    const timers = await this.#query<
      RegisteredTimer & { readonly skipped: string; readonly skippedAt: Date | null }
    >(
      (schema) => `SELECT name, expression, time_zone AS "timeZone", skipped, skipped_at AS "skippedAt"
                   FROM ${schema}.timers ORDER BY name`,
      [],
    );
    const runs = await this.#runs(timers.map(({ name }) => name));
    return timers.map((timer) => ({
      ...timer,
      // PostgreSQL's bigint arrives as text.
      skipped: Number(timer.skipped),
      skippedAt: timer.skippedAt ?? undefined,
      lastRun: runs.get(timer.name),
    }));
  }

  /** The last run of each of these timers, or the one of `fireAt`. */
  async #runs(names: readonly string[], fireAt?: Date): Promise<Map<string, TenantTimerRun>> {
    const rows = await this.#query<RunRow>(
      (schema) => `
        SELECT DISTINCT ON (r.name) r.name, r.fire_at AS "fireAt", r.state, r.holder, r.visited, r.failed, r.resumed,
          r.error, r.started_at AS "startedAt", r.finished_at AS "finishedAt",
          (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('slug', f.slug, 'error', f.error)
             ORDER BY f.tenant_id), '[]')
           FROM ${schema}.timer_failures f WHERE f.name = r.name AND f.fire_at = r.fire_at) AS failures
        FROM ${schema}.timer_runs r WHERE r.name = ANY ($1) AND r.fire_at = coalesce($2::timestamptz, r.fire_at)
        ORDER BY r.name, r.fire_at DESC`,
      [names, fireAt ?? null],
    );
    return new Map(
      rows.map((row) => [
        row.name,
        { ...row, error: row.error ?? undefined, finishedAt: row.finishedAt ?? undefined },
      ]),
    );
  }

  get #schema(): string {
    return quoteIdentifier(registrySchema(this.registry));
  }

  #query<Row>(sql: (schema: string) => string, values: unknown[]): Promise<Row[]> {
    return askRegistry(this.registry, sql, values);
  }
}

interface StateRow {
  readonly name: string;
  readonly now: Date;
  readonly decidedUntil: Date;
  readonly fireAt: Date | null;
  readonly isHeld: boolean | null;
}

type RunRow = Omit<TenantTimerRun, 'error' | 'finishedAt'> & {
  readonly error: string | null;
  readonly finishedAt: Date | null;
};

function stateOf(schema: string, condition: string): string {
  return `
    SELECT t.name, pg_catalog.clock_timestamp() AS now, t.decided_until AS "decidedUntil", r.fire_at AS "fireAt",
      r.lease_until > pg_catalog.clock_timestamp() AS "isHeld"
    FROM ${schema}.timers t LEFT JOIN ${schema}.timer_runs r ON r.name = t.name AND r.state = 'running'
    WHERE ${condition}`;
}

function toState({ now, decidedUntil, fireAt, isHeld }: StateRow): TimerState {
  return { now, decidedUntil, run: fireAt ? { fireAt, isHeld: isHeld === true } : undefined };
}

const keyOf = ({ name, fireAt, claimId }: ClaimedRun): unknown[] => [name, fireAt, claimId];

/** An event of each tenant for which the timer's work has failed, in the same statement. */
function recordFailures(schema: string, parameter: number): string {
  const given = `run, pg_catalog.json_to_recordset($${parameter}) AS given (id uuid, error text)`;
  return recordEventsSql(schema, given, {
    ...{ tenantId: 'given.id', type: 'timer.gave-up', subject: 'run.name' },
    data: `pg_catalog.json_build_object('timer', run.name, 'fireAt', run.fire_at, 'error', given.error)`,
  });
}

/** Failures of the CTE `run`, from JSON; never more than are kept of a run. */
function insertFailures(schema: string, parameter: number): string {
  return `
    INSERT INTO ${schema}.timer_failures (name, fire_at, tenant_id, slug, error)
    SELECT run.name, run.fire_at, given.id, given.slug, given.error
    FROM run, pg_catalog.json_to_recordset($${parameter}) AS given (id uuid, slug text, error text)
    LIMIT GREATEST(0, ${MAX_FAILURES} - (
      SELECT pg_catalog.count(*) FROM ${schema}.timer_failures f, run r WHERE f.name = r.name AND f.fire_at = r.fire_at))
    ON CONFLICT (name, fire_at, tenant_id) DO UPDATE SET error = excluded.error`;
}
