import type { QueryResult } from 'pg';
import type { DataSource, QueryRunner } from 'typeorm';
import type { Lease, LeasedClient } from '../connection/pool/lease';
import { isBare, type PlainWatch } from './plain-migrations';

/** A transaction that has begun. */
export interface Begun {
  readonly lease: Lease;
  /** Of the statement that travelled with it. */
  readonly result?: QueryResult;
  /** Why that statement has failed, if it has. */
  readonly error?: unknown;
  /** Whether the path was the given one behind it. */
  readonly isInPlace?: boolean;
}

export interface HeldRunnerOptions {
  /** Begins the transaction, if it can along with the statement. */
  open(first?: string): Promise<Begun>;
  /** Whether the code that asks runs for whom the transaction is. */
  isOwnScope(): boolean;
  readonly watch?: PlainWatch;
}

/** What TypeORM keeps of a query runner's transaction. */
interface TransactionState {
  isTransactionActive: boolean;
  transactionDepth: number;
}

/**
 * The query runner that a migration is given. Its transaction begins when the migration asks for something: what begins it
 * travels in one message with the first statement, if that has no parameters. To TypeORM it is in a transaction like any
 * other, in which savepoints can be made.
 */
export class HeldRunner {
  readonly queryRunner: QueryRunner;
  /** Set when something has been asked for. */
  #begun: Promise<Begun> | undefined;
  /** While TypeORM asks for a connection to send the first statement on: it is given the carrier. */
  #isFirst = false;
  #isLent = false;
  /** From when the first statement is asked for until TypeORM sends it. */
  #waitsForFirst = false;
  /** While TypeORM asks for a connection to send a statement on. */
  #isAsking = false;

  constructor(
    dataSource: DataSource,
    private readonly options: HeldRunnerOptions,
  ) {
    const { isOwnScope, watch } = options;
    this.queryRunner = dataSource.createQueryRunner();
    const query = this.queryRunner.query.bind(this.queryRunner);
    const connect = () => {
      if (this.#isFirst) return Promise.resolve(this.#carrier);
      if (!this.#isAsking) watch?.spoil();
      return this.#client();
    };
    this.queryRunner.connect = connect as QueryRunner['connect'];
    this.queryRunner.query = ((text: string, parameters?: unknown[], ...rest: []) => {
      const isOwn = isOwnScope();
      const ask = () => {
        this.#isAsking = true;
        const asked = query(text, parameters as never, ...rest);
        this.#isAsking = false;
        return asked;
      };
      const send = () => (this.#begun || parameters?.length || !isOwn ? ask() : this.#askFirst(ask));
      return watch ? watch.ask(text, isOwn && isBare([parameters, ...rest]), send) : send();
    }) as QueryRunner['query'];
    Object.assign(this.#state, { isTransactionActive: true, transactionDepth: 1 });
  }

  /** False when somebody has ended it who had not begun it. */
  get isActive(): boolean {
    return this.#state.isTransactionActive;
  }

  get #state(): TransactionState {
    return this.queryRunner as unknown as TransactionState;
  }

  /** Whether the connection itself was given away, on which more may have run than the first statement. */
  get isLent(): boolean {
    return this.#isLent;
  }

  /** Begins it, unless it has begun. Rejects when that failed, whatever the migration made of it. */
  begin(): Promise<Begun> {
    return (this.#begun ??= this.options.open());
  }

  /** Whose connection is to be rolled back, if it has begun. Rejects as `begin` does. */
  async lease(): Promise<Lease | undefined> {
    return (await this.#begun)?.lease;
  }

  async release(): Promise<void> {
    Object.assign(this.#state, { isTransactionActive: false, transactionDepth: 0 });
    await this.queryRunner.release();
  }

  async #client(): Promise<LeasedClient> {
    this.#isLent = true;
    // A subscriber that asks for something before the first statement keeps that waiting, and would wait for it.
    if (this.#waitsForFirst) setImmediate(() => void this.#send().catch(() => undefined));
    return (await this.begin()).lease.handle;
  }

  #send!: (first?: string) => Promise<Begun>;

  /** TypeORM asks for the connection at once, and sends the statement a little later; what is asked meanwhile waits. */
  async #askFirst(ask: () => Promise<unknown>): Promise<unknown> {
    this.#begun = new Promise<Begun>((resolve) => {
      let begun: Promise<Begun> | undefined;
      this.#send = (first) => {
        this.#waitsForFirst = false;
        begun ??= this.options.open(first);
        resolve(begun);
        return begun;
      };
    });
    this.#waitsForFirst = true;
    this.#isFirst = true;
    const asked = ask();
    this.#isFirst = false;
    try {
      return await asked;
    } catch (error) {
      // A subscriber may have thrown before anything was sent; what comes next must not wait for ever.
      await this.#send().catch(() => undefined);
      throw error;
    }
  }

  /** What TypeORM takes for the connection of the first statement. */
  readonly #carrier = {
    query: async (text: string): Promise<QueryResult> => {
      const { lease, result, error } = await this.#send(text);
      if (error !== undefined) throw error as Error;
      if (result) return result;
      this.#isLent = true;
      return lease.handle.query(text);
    },
  };
}
