import type { Socket } from 'node:net';
import * as pg from 'pg';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { KeepingClient } from './kept-commits';

/**
 * TCP notices a broken line only by keep-alive probes. They begin after so long, and the connection is lost after ten
 * seconds without an answer (libuv's ten probes, one a second). Linux alone would wait two hours.
 */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const;

/** What pg says when `query_timeout` runs out; what the server does meanwhile is unknown. */
export const READ_TIMEOUT = 'Query read timeout';

/** The error of a question of ours that had `ms`: one without an answer is the outage that pools make of it. */
export function orSilence(error: unknown, ms: number): unknown {
  return (error as Error).message === READ_TIMEOUT ? silence(ms, { cause: error }) : error;
}

function silence(ms: number, options?: ErrorOptions): Error {
  return new Error(`Connection terminated: PostgreSQL has been silent for ${ms} ms`, options);
}

/** The private parts of a pg client that this file needs. */
interface ClientState {
  readonly connection: { readonly stream: Socket };
  readonly _activeQuery?: { readonly waitsForReader?: boolean };
}

/**
 * Ends each connection of the pool on which PostgreSQL owes an answer and has been silent for `ms`, so that its
 * statement fails and the pool opens another. TCP asks nothing while what it has sent is not confirmed: it sends that
 * again for a quarter of an hour.
 */
export function endWhenSilent(pool: Pool, ms: number | undefined): void {
  if (ms === undefined) return;
  pool.on('connect', (client: PoolClient) => {
    const state = client as unknown as ClientState;
    const { stream } = state.connection;
    stream.setTimeout(ms).on('timeout', () => {
      const query = state._activeQuery;
      if (query && !query.waitsForReader) stream.destroy(silence(ms));
    });
  });
}

/**
 * The `pg` that TypeORM is given, with a pool that does so, and that reports a COMMIT that did not commit. Its connections
 * have a listener for errors all the time: pg takes its own away when it gives one out, and TypeORM adds its own a moment
 * later. A server that ends a session as soon as it is open is heard in between, and an error that nobody listens to
 * ends the process. Its next statement tells.
 */
export function driverThatEndsSilence(ms: number | undefined): typeof pg {
  class WatchfulPool extends pg.Pool {
    constructor(config: PoolConfig) {
      super({ ...config, Client: KeepingClient });
      endWhenSilent(this, ms);
      this.on('connect', (client) => client.on('error', () => undefined));
    }
  }
  return { ...pg, native: null, Pool: WatchfulPool };
}
