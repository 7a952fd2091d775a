import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseError, type PoolClient, type QueryResult } from 'pg';
import type { QueryRunner } from 'typeorm';
import { CommitHooks } from './commit-hooks';
import {
  type DoomedBy,
  TransactionCommandError,
  TransactionDoomedError,
  TransactionOverError,
  UnreadableTextError,
} from '../connection.errors';
import type { Submittable } from '../protocol/foreign-query';
import { commandsSavepoints, OpenSavepoints } from './open-savepoints';
import { textOf } from '../protocol/riding-cursor';
import { type SharedCommand, sharedCommand } from './shared-text';
import type { TenantClient } from '../protocol/tenant-client';

/** A stream that was read to its end, or closed, is over within milliseconds; one that nobody reads never is. */
const MAX_STREAM_END_MS = 1_000;

/** A client of the tenants' pool, as the shared transaction needs it. */
type LentClient = PoolClient &
  Pick<TenantClient, 'isIdle' | '_queryable' | 'connection' | 'standardStrings' | 'textOf'>;

/** Why nothing of it can be kept. */
interface Doom {
  readonly by: DoomedBy;
  readonly cause?: unknown;
}

/** Who has asked the pool for a connection, and got the shared one. */
interface Borrower {
  /** It has sent BEGIN, and neither COMMIT nor ROLLBACK since. */
  hasBegun: boolean;
}

/**
 * One transaction that all code of a frame shares. Whoever asks the pool for a connection there is given this one.
 *
 * What they begin and commit on it is part of it and ends with it. What they roll back dooms it as a whole: the server
 * could not undo one part alone while others work beside it. So does what has not ended when the work has: half of it
 * would be kept.
 */
export class AmbientTransaction {
  readonly #client: LentClient;
  #state: 'open' | 'closed' | 'ended' = 'open';
  #doom: Doom | undefined;
  /** The first statement that failed. */
  #failure: unknown;
  /** Inner ones that have begun and not ended: BEGINs, and works of `TenantTransactions.run`. */
  #openParts = 0;
  /** Cursors, streams and COPYs that were asked for and are not over. */
  #openStreams = 0;
  readonly #savepoints: OpenSavepoints<Borrower>;
  /** The end of all that was asked so far: pg deprecates asking a client that is busy. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param queryRunner that has begun it, and will end it */
  constructor(
    client: PoolClient,
    private readonly isolation: string,
    readonly queryRunner: QueryRunner,
  ) {
    this.#client = client as LentClient;
    this.#savepoints = new OpenSavepoints(() => CommitHooks.find(queryRunner));
  }

  get isOpen(): boolean {
    return this.#state !== 'ended';
  }

  /** What `work` gives, as a part of it: when it fails, or does not end in time, nothing of the whole is kept. */
  async runPart<T>(work: () => Promise<T>): Promise<T> {
    this.#openParts++;
    try {
      return await work();
    } catch (error) {
      this.#doomBy('rollback', error);
      throw error;
    } finally {
      this.#openParts--;
    }
  }

  /** The work has ended: what is asked from now on is refused, and dooms it. */
  close(): void {
    this.#state = 'closed';
  }

  /** Nothing of it is to be kept: what waits to be sent is not. */
  abandon(cause: unknown): void {
    this.#doomBy('rollback', cause);
    this.close();
  }

  /**
   * Waits until all that was asked has been answered. Statements end by themselves, by the limits of the tenant if by
   * nothing else; cursors, streams and COPYs wait for the code that reads or writes them, and get a second.
   *
   * @returns whether they are over; otherwise the connection can only be destroyed
   */
  async settle(): Promise<boolean> {
    const all = this.#last.catch(() => undefined);
    if (this.#openStreams > 0) {
      const timer = new AbortController();
      const timeout = delay(MAX_STREAM_END_MS, undefined, { signal: timer.signal }).catch(() => undefined);
      await Promise.race([all, timeout]);
      timer.abort();
    }
    if (this.#openStreams > 0) return false;
    await all;
    await this.#untilIdle();
    return true;
  }

  /**
   * Once `settle` has resolved.
   *
   * @throws TransactionDoomedError when nothing of it can be kept, whatever COMMIT would say
   */
  requireSound(): void {
    if (this.#openStreams > 0) this.#doomBy('open stream');
    if (this.#openParts > 0) this.#doomBy('open part');
    const status = this.#client._queryable ? this.#client.getTransactionStatus() : undefined;
    if (status === 'E') this.#doomBy('failure', this.#failure);
    if (status === 'I') this.#doomBy('end');
    if (this.#doom) throw doomedError(this.#doom);
  }

  /** From now on the pool gives out connections as usual. */
  end(): void {
    this.#state = 'ended';
  }

  /** The shared client, for one more borrower: its `release` is only the borrower's good-bye. */
  join(): PoolClient {
    const borrower: Borrower = { hasBegun: false };
    const own = {
      query: (config: unknown, values?: unknown, callback?: unknown) =>
        this.#query(borrower, config, values, callback),
      release: () => this.#release(borrower),
    };
    return new Proxy(this.#client, {
      get: (client, property): unknown =>
        Object.hasOwn(own, property)
          ? own[property as keyof typeof own]
          : Reflect.get(client, property, client),
    });
  }

  #query(borrower: Borrower, config: unknown, values: unknown, callback: unknown): unknown {
    const refusal = this.#refusal();
    if (typeof config === 'object' && config !== null && 'submit' in config)
      return this.#stream(borrower, config as Submittable, values, callback, refusal);
    const answerTo = [values, callback].find((each) => typeof each === 'function') as Answer | undefined;
    const run = () =>
      this.#run(borrower, config as Config, typeof values === 'function' ? undefined : values);
    const answer = refusal ? Promise.reject<QueryResult>(refusal) : this.#after(run);
    if (!answerTo) return answer;
    answer.then(
      (result) => answerTo(undefined, result),
      (error: Error) => answerTo(error),
    );
    return undefined;
  }

  /** Why nothing may be asked any more. It is told too late to be a part, and what is kept without it is a half. */
  #refusal(): Error | undefined {
    if (this.#state === 'open') return undefined;
    this.#doomBy('late');
    return new TransactionOverError();
  }

  /** It is over when nothing is under way any more: how it tells its borrower differs from one kind to the other. */
  #stream(
    borrower: Borrower,
    stream: Submittable,
    values: unknown,
    callback: unknown,
    refusal: Error | undefined,
  ): unknown {
    if (refusal) {
      process.nextTick(() => stream.handleError(refusal, this.#client.connection));
      return stream;
    }
    this.#openStreams++;
    void this.#after(async () => {
      const unfit = this.#doom ? doomedError(this.#doom) : this.#unfitness(stream);
      if (unfit) stream.handleError(unfit, this.#client.connection);
      else this.#client.query(stream as never, values as never, callback as never);
      await this.#untilIdle();
      this.#savepoints.touch(borrower);
      this.#openStreams--;
    });
    return stream;
  }

  /** Why a query object of somebody's own cannot be a part: nobody could tell what it begins or ends. */
  #unfitness(stream: Submittable): Error | undefined {
    const text = textOf(stream);
    if (typeof text !== 'string') return new UnreadableTextError();
    try {
      const isRefused = this.#commandOf(text) || commandsSavepoints(text, this.#client.standardStrings);
      return isRefused ? new TransactionCommandError() : undefined;
    } catch (error) {
      return error as Error;
    }
  }

  #commandOf(text: string): SharedCommand | undefined {
    return sharedCommand(text, this.#client.standardStrings, this.isolation);
  }

  #after<T>(work: () => Promise<T>): Promise<T> {
    const answer = this.#last.then(work, work);
    this.#last = answer;
    // The borrower hears of it; here it only means that the next may begin.
    answer.catch(() => undefined);
    return answer;
  }

  async #run(borrower: Borrower, config: Config, values: unknown): Promise<QueryResult> {
    const text = this.#textOf(config);
    const command = this.#commandOf(text);
    if (command) this.#note(borrower, command);
    if (this.#doom && command !== 'rollback') throw doomedError(this.#doom);
    // Begun and ended once, for all: see the class.
    if (command) return { command: command.toUpperCase(), rowCount: null, oid: 0, fields: [], rows: [] };
    try {
      const result = await this.#client.query(config as string, values as unknown[]);
      if (this.#savepoints.heed(borrower, text, result) === 'undone') this.#doomBy('savepoint');
      return result;
    } catch (error) {
      this.#failure ??= error;
      // PostgreSQL knows nothing of it, and would keep the rest.
      if (!isPostgresWord(error)) this.#doomBy('failure', error);
      this.#savepoints.heed(borrower, text);
      throw error;
    }
  }

  /** A prepared statement may be asked for by its name alone. */
  #textOf(config: Config): string {
    if (typeof config === 'string') return config;
    const text = this.#client.textOf(config);
    return typeof text === 'string' ? text : '';
  }

  #note(borrower: Borrower, command: SharedCommand): void {
    if (command === 'isolation') return;
    const hasBegun = command === 'begin';
    if (hasBegun !== borrower.hasBegun) this.#openParts += hasBegun ? 1 : -1;
    borrower.hasBegun = hasBegun;
    if (command === 'rollback') this.#doomBy('rollback', this.#failure);
  }

  /** What a borrower has begun and not ended the pool would roll back. */
  #release(borrower: Borrower): void {
    void this.#after(() => {
      if (borrower.hasBegun) this.#doomBy('open part');
      return Promise.resolve();
    });
  }

  /** The first reason is the one to mend. */
  #doomBy(by: DoomedBy, cause?: unknown): void {
    this.#doom ??= { by, cause };
  }

  /** An error is told before the status that follows from it, and a stream before it is over. */
  #untilIdle(): Promise<void> {
    const client = this.#client;
    return new Promise((resolve) => {
      const look = (): void => {
        if (!client.isIdle() && client._queryable) return;
        client.removeListener('drain', look).removeListener('end', look);
        resolve();
      };
      client.on('drain', look).on('end', look);
      look();
    });
  }
}

/** Also of a limit that was hit. A value that cannot be sent, or a `query_timeout`, is told by pg alone. */
function isPostgresWord(error: unknown): boolean {
  return error instanceof DatabaseError || (error as Error).cause instanceof DatabaseError;
}

function doomedError({ by, cause }: Doom): TransactionDoomedError {
  return new TransactionDoomedError(by, { cause });
}

type Answer = (error: Error | undefined, result?: QueryResult) => void;
type Config = string | { readonly text?: string; readonly name?: string };
