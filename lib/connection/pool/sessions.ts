import type { EventEmitter } from 'node:events';
import { Pool, type PoolClient, type PoolConfig } from 'pg';
import type { Clock } from '../../common/clock';
import type { TenantContext } from '../../context/tenant-context';
import { TenantClient } from '../protocol/tenant-client';
import { inDatabase } from './in-database';

/** A session normally ends within milliseconds. If the network is cut just then, we wait no longer than this. */
const MAX_GOODBYE_MS = 1_000;

/** What pg's pools tell of. */
const EVENTS = ['connect', 'acquire', 'release', 'remove', 'error'] as const;

/** pg-pool leaves the release out when it gives up waiting, whatever its type says. */
export type TakeCallback = (
  error: Error | undefined,
  client: PoolClient | undefined,
  release: ((error?: Error | boolean) => void) | undefined,
) => void;

export interface SessionsOptions {
  readonly context: TenantContext;
  readonly clock: Clock;
  /** Hears what the pg pools of all databases tell. */
  readonly events: EventEmitter;
  /** Called when an idle session was lost. */
  readonly lost?: () => void;
}

/**
 * The sessions of one server: a pg pool for each database, and together never more sessions than the `max` of one pool.
 *
 * The server's queue gives out as many turns as there may be sessions, and each `take` has one. So when all sessions are
 * open and the database that is wanted has none idle, one of another database is: it is closed, and its place used.
 */
export class Sessions {
  /** By name, the least recently used first. `undefined`: the database that the connection options name. */
  readonly #pools = new Map<string | undefined, DatabasePool>();
  readonly #default: DatabasePool;
  /** How many are being closed to make room. */
  #closing = 0;
  #isEnding = false;

  constructor(
    private readonly config: PoolConfig,
    private readonly options: SessionsOptions,
  ) {
    this.#default = this.#newPool(undefined);
  }

  /** How many there may be. */
  get max(): number {
    return this.#default.options.max;
  }

  get open(): number {
    return this.#sum(({ totalCount }) => totalCount);
  }

  get idle(): number {
    return this.#sum(({ idleCount }) => idleCount);
  }

  /** One for each database with a session. */
  get pools(): readonly DatabasePool[] {
    return [...this.#pools.values()];
  }

  /**
   * Gives a session of the database: an idle one if there is one. The function that comes with it gives it back.
   *
   * @throws what pg throws when it cannot make a client
   */
  take(database: string | undefined, callback: TakeCallback): void {
    if (this.#isEnding) throw new Error('Cannot use a pool after calling end on the pool');
    const pool = this.#poolOf(database);
    const other = pool.spare > 0 || this.#hasRoom ? undefined : this.#leastNeeded();
    if (!other) return pool.connect(callback as Parameters<Pool['connect']>[0]);
    this.#closing++;
    this.whenEnded(other.closeSpare(), () => {
      this.#closing--;
      try {
        this.take(database, callback);
      } catch (error) {
        callback(error as Error, undefined, undefined);
      }
    });
  }

  /**
   * What it takes to give a session of the database: nothing, or that one of another is closed. A database with a session waits
   * for that one rather than have one of another closed: else databases that fit side by side would take turns.
   */
  costOf(database: string | undefined): 'free' | 'closing' | 'later' {
    if (this.#pools.size === 1 && database === undefined) return 'free';
    const pool = this.#pools.get(database);
    if ((pool?.spare ?? 0) > 0 || this.#hasRoom) return 'free';
    return database === undefined || !pool || pool.expected === 0 ? 'closing' : 'later';
  }

  get #hasRoom(): boolean {
    return this.#sum(({ expected }) => expected) + this.#closing < this.max;
  }

  /** Calls back when the server has closed the session, because before there may be no room for another. */
  whenEnded(client: TenantClient, goOn: () => void): void {
    const end = (): void => {
      stopTimer();
      client.removeListener('end', end);
      goOn();
    };
    const stopTimer = this.options.clock.after(MAX_GOODBYE_MS, end);
    client.once('end', end);
  }

  /** Resolves when all that are taken have come back. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.pools.map((pool) => pool.end()));
  }

  /** The second idle one of a database before the only one of another, and of these the least recently used. */
  #leastNeeded(): DatabasePool | undefined {
    let only: DatabasePool | undefined;
    for (const pool of this.#pools.values()) {
      if (pool.spare > 1) return pool;
      if (pool.spare > 0) only ??= pool;
    }
    return only;
  }

  #poolOf(database: string | undefined): DatabasePool {
    const pool = this.#pools.get(database);
    if (!pool) return this.#newPool(database);
    if (this.#pools.size > 1) {
      this.#pools.delete(database);
      this.#pools.set(database, pool);
    }
    return pool;
  }

  #newPool(database: string | undefined): DatabasePool {
    for (const [name, { expected }] of this.#pools)
      if (name !== undefined && expected === 0) this.#pools.delete(name);
    const { context, events, lost } = this.options;
    const pool = new DatabasePool(inDatabase(this.config, database), context);
    for (const event of EVENTS) pool.on(event as 'error', (...told) => void events.emit(event, ...told));
    pool.on('error', () => lost?.());
    this.#pools.set(database, pool);
    return pool;
  }

  #sum(of: (pool: DatabasePool) => number): number {
    let sum = 0;
    for (const pool of this.#pools.values()) sum += of(pool);
    return sum;
  }
}

/** The private parts of a pg pool that this file needs. */
interface PoolInternals {
  readonly _idle: readonly { readonly client: TenantClient }[];
  _remove(client: TenantClient): void;
  newClient(pendingItem: unknown): void;
}

/** The sessions of a server in one database: a pg pool. */
export class DatabasePool extends Pool {
  constructor(
    config: PoolConfig,
    private readonly context: TenantContext,
  ) {
    super({ ...config, Client: TenantClient as never });
  }

  /** How many are idle and promised to nobody: pg hands them over one tick after it was asked. */
  get spare(): number {
    return Math.max(0, this.idleCount - this.waitingCount);
  }

  /** How many there will be in the next tick, when pg has opened what idle ones were too few for. */
  get expected(): number {
    return this.totalCount + Math.max(0, this.waitingCount - this.idleCount);
  }

  /** Closes the one that has been idle for longest. There must be a spare one. */
  closeSpare(): TenantClient {
    const pool = this as unknown as PoolInternals;
    const [{ client }] = pool._idle;
    pool._remove(client);
    return client;
  }

  /**
   * A socket keeps the async context it was opened in, and its events run there. Opened outside of every context, an event that
   * is bound to no context runs for no tenant, rather than for the one whose request happened to need a new connection.
   */
  newClient(pendingItem: unknown): void {
    const { newClient } = Pool.prototype as unknown as PoolInternals;
    this.context.runInFrame(undefined, () => newClient.call(this, pendingItem));
  }
}
