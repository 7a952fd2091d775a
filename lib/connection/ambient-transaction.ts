import type { PoolClient, QueryResult } from 'pg';
import { TransactionCommandError, TransactionDoomedError } from './connection.errors';
import { type TransactionCommand, transactionCommands } from './transaction-commands';

const SET_ISOLATION = /^\s*set\s+transaction\s+isolation\s+level\s+([\w\s]+?)\s*;?\s*$/i;

/**
 * One transaction that all code of a scope shares. Whoever asks the pool for a connection there is given this one.
 *
 * What they begin and commit on it is part of it and ends with it. What they roll back dooms it as a whole: the server
 * could not undo one part alone while others work beside it.
 */
export class AmbientTransaction {
  #state: 'open' | 'doomed' | 'ended' = 'open';
  #hasFailed = false;
  /** The end of all that was asked so far: pg deprecates asking a client that is busy. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly client: PoolClient,
    private readonly isolation: string,
  ) {}

  get isOpen(): boolean {
    return this.#state !== 'ended';
  }

  /**
   * Whether nothing of it can be kept: a part was rolled back, or a statement failed and no savepoint caught it.
   * PostgreSQL would answer COMMIT with a silent ROLLBACK.
   */
  async isDoomed(): Promise<boolean> {
    if (this.#state === 'doomed') return true;
    if (!this.#hasFailed) return false;
    // The client's own word may be stale: an error arrives before the status that follows from it.
    const isAlive = await this.client.query('SELECT 1').then(
      () => true,
      () => false,
    );
    return !isAlive;
  }

  /** From now on the pool lends connections as usual. */
  end(): void {
    this.#state = 'ended';
  }

  /** The shared client, for one more borrower: its `release` is only the borrower's good-bye. */
  join(): PoolClient {
    const own = { query: this.#query, release: () => undefined };
    return new Proxy(this.client, {
      get: (client, property): unknown =>
        Object.hasOwn(own, property)
          ? own[property as keyof typeof own]
          : Reflect.get(client, property, client),
    });
  }

  readonly #query = (config: unknown, values?: unknown, callback?: unknown): unknown => {
    if (typeof config === 'object' && config !== null && 'submit' in config) {
      // How a cursor or a stream ends is not followed.
      this.#hasFailed = true;
      return this.client.query(config as never, values as never, callback as never);
    }
    const answerTo = [values, callback].find((each) => typeof each === 'function') as Answer | undefined;
    const answer = this.#after(() =>
      this.#run(config as Config, typeof values === 'function' ? undefined : values),
    );
    if (!answerTo) return answer;
    answer.then(
      (result) => answerTo(undefined, result),
      (error: Error) => answerTo(error),
    );
    return undefined;
  };

  #after(work: () => Promise<QueryResult>): Promise<QueryResult> {
    const answer = this.#last.then(work, work);
    this.#last = answer;
    // The borrower hears of it; here it only means that the next may begin.
    answer.catch(() => undefined);
    return answer;
  }

  async #run(config: Config, values: unknown): Promise<QueryResult> {
    const text = typeof config === 'string' ? config : config.text;
    const command = soleCommand(text) ?? (this.#isSameLevel(text) ? 'isolation' : undefined);
    if (command === 'rollback') this.#state = 'doomed';
    else if (this.#state === 'doomed') throw new TransactionDoomedError();
    // Begun and ended once, for all: see the class.
    if (command) return { command: command.toUpperCase(), rowCount: null, oid: 0, fields: [], rows: [] };
    try {
      return await this.client.query(config as string, values as unknown[]);
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
  }

  #isSameLevel(text: string): boolean {
    return SET_ISOLATION.exec(text)?.[1].toUpperCase() === this.isolation;
  }
}

/**
 * The command that a text is.
 *
 * @throws TransactionCommandError when it is one among other statements, or one that would leave what all share
 */
function soleCommand(text: string): TransactionCommand | undefined {
  const commands = transactionCommands(text) ?? [];
  const command = commands.find((each) => each !== undefined);
  if (command === undefined) return undefined;
  if (commands.length > 1 || command === 'chain' || command === 'prepare')
    throw new TransactionCommandError();
  return command;
}

type Answer = (error: Error | undefined, result?: QueryResult) => void;
type Config = string | { readonly text: string };
