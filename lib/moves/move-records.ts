import { Inject, Injectable } from '@nestjs/common';
import { storableText } from '../common/storable';
import { quoteIdentifier, type SqlExecutor } from '../common/sql';
import { SystemTransactions } from '../connection/typeorm/system-transactions';
import { isSamePlace, type Isolation, type Place, placeOf } from '../placement/place';
import { MoveUnderWayError } from '../placement/placement.errors';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import { recordAction } from '../registry/events/audit-events';
import type { Tenant } from '../registry/tenant';
import { isTaken } from './fence';
import type { Move, MoveHow, MoveProgress, MoveState, MoveVerification } from './move';
import { MoveLostError, MoveNotPossibleError } from './moves.errors';

/** A worker that has not said for so long that it lives is dead, even if PostgreSQL believes that its session is open. */
export const SILENT_SECONDS = 60;

const NOTHING_YET: MoveProgress = { tables: 0, ofTables: 0, rows: 0 };

const COLUMNS = `id, tenant_id, schema_name, from_server, from_isolation, to_server, to_isolation, how, fallback, verify, state, actor, reason,
  cancelled_by, progress, worker, heartbeat_at, started_at, state_at, finished_at, drop_after, dropped_at`;

interface NewMove {
  readonly how: MoveHow;
  readonly fallback?: string;
  readonly verify: MoveVerification;
  readonly actor?: string;
  readonly worker: string;
}

/** The SQL of moves. What a worker writes is written only while the move is its own. */
@Injectable()
export class MoveRecords {
  readonly #schema: string;
  readonly #moves: string;

  constructor(
    private readonly transactions: SystemTransactions,
    @Inject(PROVISIONING_OPTIONS) { registrySchema }: ProvisioningOptions,
  ) {
    this.#schema = quoteIdentifier(registrySchema);
    this.#moves = `${this.#schema}.moves`;
  }

  /** Records a new move. @throws MoveUnderWayError, MoveNotPossibleError when a migration run is under way */
  begin(id: string, tenant: Tenant, to: Place, given: NewMove): Promise<Move> {
    const from = placeOf(tenant);
    const asked = this.transactions.inRegistry(async (manager) => {
      await manager.query(`SET LOCAL lock_timeout = '2s'`);
      // A run that begins at the same time sees this move, or is seen.
      await manager.query(`LOCK TABLE ${this.#schema}.migration_runs IN SHARE MODE`);
      const [row] = await manager.query<{ server: string; isolation: Isolation; moveId: string | null }[]>(
        `SELECT server, isolation, move_id AS "moveId" FROM ${this.#schema}.tenants
         WHERE id = $1 AND status IN ('active', 'suspended', 'deleted') FOR UPDATE`,
        [tenant.id],
      );
      if (row?.moveId) throw new MoveUnderWayError(tenant.slug, 'be moved');
      if (!row || !isSamePlace(row, from))
        throw new MoveNotPossibleError(`The tenant "${tenant.slug}" was changed meanwhile. Try again.`);
      const [running] = await manager.query<{ holder: string }[]>(
        `SELECT holder FROM ${this.#schema}.migration_runs
         WHERE state = 'running' AND lease_until > pg_catalog.clock_timestamp()`,
      );
      if (running)
        throw new MoveNotPossibleError(
          `A migration run is under way (${running.holder}), and it may be at this tenant. Move it when the run has ended.`,
        );
      const [move] = await manager.query<MoveRow[]>(
        `INSERT INTO ${this.#moves} (id, tenant_id, schema_name, from_server, from_isolation, to_server, to_isolation, how, fallback,
           verify, actor, worker) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING ${COLUMNS}`,
        [
          ...[id, tenant.id, tenant.schemaName, from.server, from.isolation, to.server, to.isolation],
          ...[given.how, given.fallback, given.verify, given.actor, given.worker],
        ],
      );
      await manager.query(`UPDATE ${this.#schema}.tenants SET move_id = $2 WHERE id = $1`, [tenant.id, id]);
      await this.#audit(manager, toMove(move), 'move');
      return toMove(move);
    });
    return asked.catch((cause: unknown) => {
      if (!isTaken(cause)) throw cause;
      throw new MoveNotPossibleError(
        `The tenant "${tenant.slug}" is being repaired or purged right now. Try again soon.`,
        { cause },
      );
    });
  }

  /** @throws MoveLostError when it is not this worker's any more, has another state, or was cancelled before it is fenced */
  async advance({ id, worker }: Move, from: MoveState, to: MoveState): Promise<Move> {
    const isStoppable = to === 'copying' || to === 'following' || to === 'fencing';
    return this.transactions.inRegistry((manager) =>
      this.#change(
        manager,
        id,
        `UPDATE ${this.#moves} SET state = $4, state_at = pg_catalog.clock_timestamp(), heartbeat_at = pg_catalog.clock_timestamp()
         WHERE id = $1 AND worker = $2 AND state = $3 ${isStoppable ? 'AND cancelled_by IS NULL' : ''} RETURNING ${COLUMNS}`,
        [id, worker, from, to],
      ),
    );
  }

  /**
   * Lets the registry name the new place, in a transaction of the registry's database. From its commit on the tenant is
   * served there. @throws MoveLostError
   */
  async switch(transaction: SqlExecutor, { id, worker, tenantId, to }: Move, from: MoveState): Promise<Move> {
    await transaction.query(
      `UPDATE ${this.#schema}.tenants SET server = $2, isolation = $3, placement_version = placement_version + 1,
         version = version + 1, updated_at = pg_catalog.clock_timestamp() WHERE id = $1`,
      [tenantId, to.server, to.isolation],
    );
    return this.#change(
      transaction,
      id,
      `UPDATE ${this.#moves} SET state = 'cleaning', state_at = pg_catalog.clock_timestamp()
       WHERE id = $1 AND worker = $2 AND state = $3 RETURNING ${COLUMNS}`,
      [id, worker, from],
    );
  }

  /**
   * Ends it. `keepMs`: how long what is left at the place that is not used is kept. @throws MoveLostError
   */
  finish(
    { id, worker, tenantId, state }: Move,
    outcome: 'done' | 'failed',
    { reason, keepMs }: { readonly reason?: string; readonly keepMs: number },
  ): Promise<Move> {
    return this.transactions.inRegistry(async (manager) => {
      const move = await this.#change(
        manager,
        id,
        `UPDATE ${this.#moves} SET state = $4, reason = $5, state_at = pg_catalog.clock_timestamp(),
           finished_at = pg_catalog.clock_timestamp(), drop_after = pg_catalog.clock_timestamp() + $6 * interval '1 millisecond'
         WHERE id = $1 AND worker = $2 AND state = $3 RETURNING ${COLUMNS}`,
        [id, worker, state, outcome, reason && storableText(reason), keepMs],
      );
      await manager.query(
        `UPDATE ${this.#schema}.tenants SET move_id = NULL WHERE id = $1 AND move_id = $2`,
        [tenantId, id],
      );
      await this.#audit(manager, move, outcome === 'done' ? 'moved' : 'move-failed');
      return move;
    });
  }

  /** @throws MoveLostError when it is not this worker's any more */
  async requireOwn({ id, worker }: Move): Promise<void> {
    const now = await this.find(id);
    if (now?.worker !== worker || now.finishedAt) throw new MoveLostError(id);
  }

  /** Says that the worker lives, and how far it is. Returns the move as it is now. @throws MoveLostError */
  beat({ id, worker }: Move, progress: MoveProgress): Promise<Move> {
    return this.transactions.inRegistry((manager) =>
      this.#change(
        manager,
        id,
        `UPDATE ${this.#moves} SET heartbeat_at = pg_catalog.clock_timestamp(), progress = $3
         WHERE id = $1 AND worker = $2 RETURNING ${COLUMNS}`,
        [id, worker, JSON.stringify(progress)],
      ),
    );
  }

  /** Makes the move of a dead worker that of another one; `undefined` when somebody else was first, or it has ended. */
  takeOver(move: Move, worker: string): Promise<Move | undefined> {
    return this.transactions.inRegistry((manager) =>
      this.#change(
        manager,
        move.id,
        `UPDATE ${this.#moves} SET worker = $3, heartbeat_at = pg_catalog.clock_timestamp()
         WHERE id = $1 AND worker = $2 AND finished_at IS NULL RETURNING ${COLUMNS}`,
        [move.id, move.worker, worker],
      ).catch((error: unknown) => {
        if (error instanceof MoveLostError) return undefined;
        throw error;
      }),
    );
  }

  /** Asks its worker to stop. `undefined` when there is no such move, or it is too late. */
  cancel(id: string, by: string): Promise<Move | undefined> {
    return this.#first(
      `UPDATE ${this.#moves} SET cancelled_by = COALESCE(cancelled_by, $2)
       WHERE id = $1 AND state IN ('planned', 'copying', 'following') RETURNING ${COLUMNS}`,
      [id, by],
    );
  }

  find(id: string): Promise<Move | undefined> {
    return this.#first(`SELECT ${COLUMNS} FROM ${this.#moves} WHERE id = $1`, [id]);
  }

  /** The moves of a tenant, the latest first. */
  listOf(tenantId: string): Promise<Move[]> {
    return this.#list(`WHERE tenant_id = $1 ORDER BY started_at DESC, id DESC`, [tenantId]);
  }

  /** Those that are under way, the oldest first. */
  listOpen(): Promise<Move[]> {
    return this.#list('WHERE finished_at IS NULL ORDER BY started_at, id', []);
  }

  /** Those of which something is left to be dropped: it was kept for long enough, or its tenant is purged. */
  listToDrop(): Promise<Move[]> {
    return this.#list(
      `m WHERE dropped_at IS NULL AND drop_after IS NOT NULL AND (drop_after <= pg_catalog.clock_timestamp()
         OR NOT EXISTS (SELECT FROM ${this.#schema}.tenants t WHERE t.id = m.tenant_id AND t.status <> 'purged'))
       ORDER BY drop_after, id`,
      [],
    );
  }

  async noteDropped({ id }: Move): Promise<void> {
    await this.#first(
      `UPDATE ${this.#moves} SET dropped_at = pg_catalog.clock_timestamp() WHERE id = $1 RETURNING ${COLUMNS}`,
      [id],
    );
  }

  /** Those that have ended, and of which a slot, a publication or a subscription may be left. */
  listToUnlink(): Promise<Move[]> {
    return this.#list(
      `WHERE how = 'online' AND unlinked_at IS NULL AND finished_at IS NOT NULL ORDER BY finished_at, id`,
      [],
    );
  }

  async noteUnlinked({ id }: Move): Promise<void> {
    await this.#first(
      `UPDATE ${this.#moves} SET unlinked_at = pg_catalog.clock_timestamp() WHERE id = $1 RETURNING ${COLUMNS}`,
      [id],
    );
  }

  /** How long ago its worker has said that it lives, in seconds of the registry's clock. */
  async silentSeconds({ id }: Move): Promise<number> {
    const [row] = await this.transactions.inRegistry((manager) =>
      manager.query<{ seconds: string }[]>(
        `SELECT extract(epoch FROM pg_catalog.clock_timestamp() - heartbeat_at) AS seconds FROM ${this.#moves} WHERE id = $1`,
        [id],
      ),
    );
    return Number(row?.seconds ?? 0);
  }

  /** In the tenant's audit. */
  async #audit(transaction: SqlExecutor, { id, tenantId, actor, from, to }: Move, action: string) {
    const details = { move: id, from, to };
    await recordAction(transaction, this.#schema, tenantId, { action, actor: actor ?? undefined, details });
  }

  async #change(
    transaction: SqlExecutor,
    id: string,
    sql: string,
    values: readonly unknown[],
  ): Promise<Move> {
    const [row] = rowsOf(await transaction.query(sql, [...values]));
    if (!row) throw new MoveLostError(id);
    return toMove(row);
  }

  async #first(sql: string, values: readonly unknown[]): Promise<Move | undefined> {
    const answer = await this.transactions.inRegistry((manager) => manager.query<unknown>(sql, [...values]));
    const [row] = rowsOf(answer);
    return row && toMove(row);
  }

  async #list(which: string, values: readonly unknown[]): Promise<Move[]> {
    const rows = await this.transactions.inRegistry((manager) =>
      manager.query<MoveRow[]>(`SELECT ${COLUMNS} FROM ${this.#moves} ${which}`, [...values]),
    );
    return rows.map(toMove);
  }
}

interface MoveRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly schema_name: string;
  readonly from_server: string;
  readonly from_isolation: Isolation;
  readonly to_server: string;
  readonly to_isolation: Isolation;
  readonly how: MoveHow;
  readonly fallback: string | null;
  readonly verify: MoveVerification;
  readonly state: MoveState;
  readonly actor: string | null;
  readonly reason: string | null;
  readonly cancelled_by: string | null;
  readonly progress: Partial<MoveProgress>;
  readonly worker: string;
  readonly heartbeat_at: Date;
  readonly started_at: Date;
  readonly state_at: Date;
  readonly finished_at: Date | null;
  readonly drop_after: Date | null;
  readonly dropped_at: Date | null;
}

/** TypeORM gives the rows of an UPDATE together with their number. */
function rowsOf(answer: unknown): MoveRow[] {
  const [first] = answer as [unknown];
  return (Array.isArray(first) ? first : answer) as MoveRow[];
}

function toMove(row: MoveRow): Move {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    schemaName: row.schema_name,
    from: { server: row.from_server, isolation: row.from_isolation },
    to: { server: row.to_server, isolation: row.to_isolation },
    how: row.how,
    fallback: row.fallback ?? undefined,
    verify: row.verify,
    state: row.state,
    actor: row.actor ?? undefined,
    reason: row.reason ?? undefined,
    cancelledBy: row.cancelled_by ?? undefined,
    progress: { ...NOTHING_YET, ...row.progress },
    worker: row.worker,
    heartbeatAt: row.heartbeat_at,
    startedAt: row.started_at,
    stateAt: row.state_at,
    finishedAt: row.finished_at ?? undefined,
    dropAfter: row.drop_after ?? undefined,
    droppedAt: row.dropped_at ?? undefined,
  };
}
