import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Client } from 'pg';
import { quoteLiteral, type SqlExecutor } from '../common/sql';
import { Servers } from '../connection/servers/servers';
import { OwnSessions } from '../connection/typeorm/own-sessions';
import { TenantContext } from '../context/tenant-context';
import { DEFAULT_SERVER, type Place, type Site, siteOf } from '../placement/place';
import type { Move } from './move';
import { MoveRecords } from './move-records';

/** SQL: the key of the advisory lock that a move's transaction at a place holds, and that of its worker in the registry. */
const AT_PLACE = `pg_catalog.hashtextextended('tenancy moves ' || $1, 0)`;
const IN_REGISTRY = `pg_catalog.hashtextextended('tenancy works on the move ' || $1, 0)`;

/**
 * The sessions in which a move works, which are nobody else's: a copy may take long, and must not take connections from tenants.
 *
 * A worker may be cut off or stand still while another one takes over. So each transaction of a move first takes a lock at its
 * place, and then looks whether the move is still its worker's: who has taken it over and then gets that lock knows that nothing
 * of the other one is under way there, nor will be.
 */
@Injectable()
export class MoveSessions {
  constructor(
    private readonly sessions: OwnSessions,
    private readonly context: TenantContext,
    private readonly servers: Servers,
    private readonly records: MoveRecords,
  ) {}

  /**
   * What `work` gives, in a transaction of the move at one of its places.
   *
   * @throws MoveLostError, and 55P03 when another transaction of the move is still under way there
   */
  async at<T>(move: Move, place: Place, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.alone(move, place, async (manager) => {
      await this.records.requireOwn(move);
      return work(manager);
    });
  }

  /** The same for a move that has ended. */
  async alone<T>(move: Move, place: Place, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    if (place.server !== DEFAULT_SERVER) await this.servers.check(place.server);
    return this.#transaction(siteOf({ place, schemaName: move.schemaName }), async (manager) => {
      await manager.query(`SET LOCAL lock_timeout = '5s'`);
      await manager.query(`SELECT pg_catalog.pg_advisory_xact_lock(${AT_PLACE})`, [move.id]);
      return work(manager);
    });
  }

  /** A transaction at a place without that lock, for what only looks. With a `snapshot` it sees that moment. */
  look<T>(
    { place, schemaName }: { readonly place: Place; readonly schemaName: string },
    work: (manager: EntityManager) => Promise<T>,
    snapshot?: string,
  ): Promise<T> {
    return this.#transaction(siteOf({ place, schemaName }), work, snapshot);
  }

  /** A session at a place outside of any transaction, for what must be seen as it is now. */
  beside<T>(move: Move, place: Place, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.context.runAsSystem(
      () => this.sessions.run((session) => work(session.manager), { isRequired: false }),
      siteOf({ place, schemaName: move.schemaName }),
    );
  }

  /** A session at the old place that speaks the replication protocol. */
  replicating<T>({ from, schemaName }: Move, work: (client: Client) => Promise<T>): Promise<T> {
    return this.context.runAsSystem(
      () => this.sessions.replicating(work),
      siteOf({ place: from, schemaName }),
    );
  }

  /** A transaction of the registry. */
  inRegistry<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.#transaction({ server: DEFAULT_SERVER }, work);
  }

  /** Runs `work` as the only worker of a move. `undefined` when there is another one, unless that `isDead` for all that is known. */
  async asWorker<T>(id: string, work: () => Promise<T>, { isDead = false } = {}): Promise<T | undefined> {
    let outcome: Promise<T> | undefined;
    try {
      await this.#transaction({ server: DEFAULT_SERVER }, async (manager) => {
        if (!(await tryLock(manager, id)) && !isDead) return;
        outcome = work();
        await outcome;
      });
    } catch (error) {
      // The session with the lock may have been lost meanwhile; what the work has done counts.
      if (!outcome) throw error;
    }
    return outcome;
  }

  #transaction<T>(site: Site, work: (manager: EntityManager) => Promise<T>, snapshot?: string): Promise<T> {
    return this.context.runAsSystem(
      () =>
        this.sessions.run(
          async (session) => {
            await session.startTransaction(snapshot === undefined ? 'READ COMMITTED' : 'REPEATABLE READ');
            try {
              // Before any statement that takes one of its own.
              if (snapshot !== undefined)
                await session.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}`);
              await session.query('SET LOCAL statement_timeout = 0');
              await session.query('SET LOCAL idle_in_transaction_session_timeout = 0');
              const result = await work(session.manager);
              await session.commitTransaction();
              return result;
            } catch (error) {
              // The end of the session rolls it back, if nothing else does.
              if (session.isTransactionActive) await session.rollbackTransaction().catch(() => undefined);
              throw error;
            }
          },
          { isRequired: false },
        ),
      site,
    );
  }
}

async function tryLock(executor: SqlExecutor, id: string): Promise<boolean> {
  const [{ isFree }] = (await executor.query(
    `SELECT pg_catalog.pg_try_advisory_xact_lock(${IN_REGISTRY}) AS "isFree"`,
    [id],
  )) as { isFree: boolean }[];
  return isFree;
}
