import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { Client } from 'pg';
import type { EntityManager, QueryRunner } from 'typeorm';
import { quoteIdentifier, quoteLiteral, type SqlExecutor, sqlStateOf } from '../common/sql';
import { OwnSessions } from '../connection/typeorm/own-sessions';
import type { Place } from '../placement/place';
import { LINK_PREFIX, linkName, type Move } from './move';
import { MoveSessions } from './move-sessions';
import { MoveNotPossibleError } from './moves.errors';

/** Between two looks whether what is waited for has come. */
const LOOK_MS = 10;

/** A subscription whose worker fails is tried again by PostgreSQL every five seconds. */
const MAX_FAILURES = 5;

/** How long the process that serves a slot may take to end. */
const SLOT_FREE_MS = 5_000;

const INSUFFICIENT_PRIVILEGE = '42501';

interface Waiting {
  readonly ms: number;
  readonly signal: AbortSignal;
  /** Called after each look that has found it behind. */
  readonly meanwhile?: () => Promise<void>;
}

/** The publication and the slot at the old place of a tenant, and the subscription at the new one. */
@Injectable()
export class Replication {
  constructor(
    private readonly sessions: MoveSessions,
    private readonly ownSessions: OwnSessions,
  ) {}

  /**
   * Publishes tables at the old place, and makes a slot that keeps all that is written to them from one moment on. `work` gets the
   * snapshot of that moment, to be taken before it resolves. PostgreSQL first waits for all transactions of the server that write.
   */
  publish<T>(
    move: Move,
    tables: readonly string[],
    { signal, waitMs }: { readonly signal: AbortSignal; readonly waitMs: number },
    work: (snapshot: string) => Promise<T>,
  ): Promise<T> {
    const name = linkName(move);
    return this.sessions.replicating(move, async (client) => {
      await client.query(`SET lock_timeout = '5s'`);
      await client.query(
        `CREATE PUBLICATION ${name} ${tables.length > 0 ? `FOR TABLE ONLY ${tables.join(', ONLY ')}` : ''}`,
      );
      // The waiting of a slot is waiting for locks, too.
      await client.query('SET lock_timeout = 0');
      const snapshot = await this.#makeSlot(
        client,
        move,
        AbortSignal.any([signal, AbortSignal.timeout(waitMs)]),
      );
      return work(snapshot);
    });
  }

  /** Lets the new place do what is written at the old one. All tables must be there, with the rows of the snapshot. */
  subscribe(move: Move): Promise<void> {
    return this.sessions.at(move, move.to, async (manager) =>
      createSubscription(manager, {
        name: linkName(move),
        connection: await this.ownSessions.connectionText(move.from.server),
        // Before the next keep-alive is answered, all that came before it is done: so nothing may be done beside.
        options: `slot_name = ${linkName(move)}, streaming = off`,
      }),
    );
  }

  /** Why nothing can be replicated from one place to the other, in PostgreSQL's words; `undefined` when it can. */
  async rehearse(schemaName: string, from: Place, to: Place): Promise<string | undefined> {
    const name = `${LINK_PREFIX}rehearsal_${randomBytes(8).toString('hex')}`;
    const connection = await this.ownSessions.connectionText(from.server);
    const atSource = (sql: string) =>
      this.sessions.look({ place: from, schemaName }, (manager) => manager.query(sql));
    let refusal: string | undefined;
    try {
      // Of one that is missing PostgreSQL warns in its log, and tells the whole statement there.
      await atSource(`CREATE PUBLICATION ${name}`);
      await this.sessions.look({ place: to, schemaName }, async (manager) => {
        await manager.query('SAVEPOINT rehearsal');
        await createSubscription(manager, {
          ...{ name, connection, options: 'slot_name = NONE, enabled = false' },
        }).catch(({ message }: Error) => (refusal = message.replace(`subscription "${name}" `, '')));
        await manager.query('ROLLBACK TO SAVEPOINT rehearsal');
      });
      return refusal;
    } catch (error) {
      if (sqlStateOf(error) !== INSUFFICIENT_PRIVILEGE) throw error;
      return (error as Error).message;
    } finally {
      await atSource(`DROP PUBLICATION IF EXISTS ${name}`);
    }
  }

  /** Takes away all three, as far as they are there. What can be reached is taken away though the other place is away. */
  async drop(move: Move): Promise<void> {
    const name = linkName(move);
    try {
      await this.sessions.alone(move, move.to, (manager) => dropSubscription(manager, name));
    } finally {
      await this.sessions.alone(move, move.from, async (manager) => {
        await dropSlot(manager, name);
        await manager.query(`DROP PUBLICATION IF EXISTS ${name}`);
      });
    }
  }

  async #makeSlot(client: Client, move: Move, signal: AbortSignal): Promise<string> {
    const { processID } = client as unknown as { processID: number };
    // It cannot be told to give up while it waits: its process is ended.
    const stop = () =>
      void this.sessions
        .beside(move, move.from, (manager) =>
          manager.query(`SELECT pg_catalog.pg_terminate_backend($1)`, [processID]),
        )
        .catch(() => undefined);
    signal.addEventListener('abort', stop);
    try {
      signal.throwIfAborted();
      const { rows } = await client.query<{ snapshot_name: string }>(
        `CREATE_REPLICATION_SLOT ${quoteIdentifier(linkName(move))} LOGICAL pgoutput (SNAPSHOT 'export')`,
      );
      return rows[0].snapshot_name;
    } catch (error) {
      if ((signal.reason as Error | undefined)?.name === 'TimeoutError')
        throw new MoveNotPossibleError(
          `a slot could not be made on the server "${move.from.server}", because it waits for all transactions there that write. ` +
            'Try again when those that are open for long have ended, or raise moves.catchUpMs.',
          { cause: error },
        );
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}

/** A place in the log of the old place, behind all that is committed there now, and on its disk. */
export async function markLog(source: SqlExecutor): Promise<string> {
  const [{ lsn }] = (await source.query(
    `SELECT pg_catalog.pg_logical_emit_message(true, 'tenancy', '')::text AS lsn
     FROM pg_catalog.set_config('synchronous_commit', 'on', true)`,
  )) as { lsn: string }[];
  return lsn;
}

/**
 * Waits until the new place has done all that was committed before a place in the log of the old one. Whether it has, within `ms`.
 *
 * @throws MoveNotPossibleError when PostgreSQL cannot do there what was done at the old place
 */
export async function isDoneUpTo(
  target: SqlExecutor,
  move: Move,
  lsn: string,
  { ms, signal, meanwhile }: Waiting,
): Promise<boolean> {
  const until = performance.now() + ms;
  for (;;) {
    const [{ isDone, failures }] = (await target.query(
      `SELECT COALESCE((SELECT pg_catalog.bool_or(latest_end_lsn >= $2::pg_catalog.pg_lsn) FROM pg_catalog.pg_stat_subscription
           WHERE subname = $1), false) AS "isDone",
         COALESCE((SELECT pg_catalog.max(apply_error_count) FROM pg_catalog.pg_stat_subscription_stats
           WHERE subname = $1), 0)::integer AS failures`,
      [linkName(move), lsn],
    )) as { isDone: boolean; failures: number }[];
    if (isDone) return true;
    if (failures >= MAX_FAILURES)
      throw new MoveNotPossibleError(
        `what was written meanwhile could not be done at the new place ${failures} times: the log of PostgreSQL on the server ` +
          `"${move.to.server}" says why. Mend that, or move it with how: 'stop'.`,
      );
    if (performance.now() > until) return false;
    await meanwhile?.();
    await delay(LOOK_MS, undefined, { signal });
  }
}

/** How many bytes of the log of the old place the new one has not told to be done. */
export async function lagOf(source: SqlExecutor, move: Move): Promise<number> {
  const [{ bytes }] = (await source.query(
    `SELECT COALESCE(pg_catalog.max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), confirmed_flush_lsn)), 0)::text AS bytes
     FROM pg_catalog.pg_replication_slots WHERE slot_name = $1`,
    [linkName(move)],
  )) as { bytes: string }[];
  return Math.max(0, Number(bytes));
}

/**
 * The connection's text has a password. So the statement goes past TypeORM's log, as a value past PostgreSQL's own, and is in
 * no error.
 */
async function createSubscription(
  manager: EntityManager,
  {
    name,
    connection,
    options,
  }: { readonly name: string; readonly connection: string; readonly options: string },
): Promise<void> {
  const client = (await (manager.queryRunner as QueryRunner).connect()) as Client;
  const statement =
    `CREATE SUBSCRIPTION ${name} CONNECTION ${quoteLiteral(connection)} PUBLICATION ${name} ` +
    `WITH (create_slot = false, copy_data = false, ${options})`;
  await client.query(`SELECT pg_catalog.set_config('tenancy.subscription', $1, true)`, [statement]);
  await client.query(
    `DO $$ BEGIN
       EXECUTE pg_catalog.current_setting('tenancy.subscription');
       PERFORM pg_catalog.set_config('tenancy.subscription', '', true);
     EXCEPTION WHEN OTHERS THEN
       RAISE EXCEPTION USING MESSAGE = SQLERRM, ERRCODE = SQLSTATE;
     END $$`,
  );
}

async function dropSubscription(manager: EntityManager, name: string): Promise<void> {
  const found = await manager.query<unknown[]>(
    `SELECT FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
     WHERE s.subname = $1 AND d.datname = pg_catalog.current_database()`,
    [name],
  );
  if (found.length === 0) return;
  // Without the slot: it belongs to the other place, which may be away.
  await manager.query(`ALTER SUBSCRIPTION ${name} DISABLE`);
  await manager.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
  await manager.query(`DROP SUBSCRIPTION ${name}`);
}

/** A slot that is in use cannot be dropped; a new place that is away, or has not noticed yet, may hold it for a minute. */
async function dropSlot(manager: EntityManager, name: string): Promise<void> {
  const until = performance.now() + SLOT_FREE_MS;
  for (;;) {
    const [slot] = await manager.query<{ pid: number | null }[]>(
      'SELECT active_pid AS pid FROM pg_catalog.pg_replication_slots WHERE slot_name = $1',
      [name],
    );
    if (!slot) return;
    if (slot.pid === null || performance.now() > until) {
      await manager.query('SELECT pg_catalog.pg_drop_replication_slot($1)', [name]);
      return;
    }
    await manager.query('SELECT pg_catalog.pg_terminate_backend($1)', [slot.pid]);
    await delay(LOOK_MS);
  }
}
