import type { PoolClient, QueryResult } from 'pg';
import { type DataSource, type QueryRunner, TransactionNotStartedError } from 'typeorm';

/** What TypeORM keeps of a query runner's transaction. */
interface TransactionState {
  isTransactionActive: boolean;
  transactionDepth: number;
}

/**
 * A transaction whose first statements travel with its START, and whose last ones with its COMMIT. TypeORM sends a message
 * for each of them, and START and isolation level apart: a fleet has thousands of transactions, and most of what one costs
 * is its messages.
 *
 * READ COMMITTED: under a stricter default, who waited for a lock would not see what it was held for. To TypeORM the query
 * runner is in a transaction like any other, in which savepoints can be made.
 */
export class TerseTransaction {
  readonly #state: TransactionState;

  private constructor(
    readonly queryRunner: QueryRunner,
    private readonly client: PoolClient,
  ) {
    this.#state = queryRunner as unknown as TransactionState;
  }

  /**
   * What `work` gives: committed, with the statements of `last` before it, when it resolves; rolled back when it rejects.
   *
   * @param first statements without parameters; `work` is told the rows of their last one
   * @param last statements without parameters, once `work` has resolved with `value`; `undefined` for none
   */
  static async run<Row, T>(
    dataSource: DataSource,
    first: string,
    work: (queryRunner: QueryRunner, rows: readonly Row[]) => Promise<T>,
    last: (value: T) => string | undefined,
  ): Promise<T> {
    const queryRunner = dataSource.createQueryRunner();
    try {
      const transaction = new TerseTransaction(queryRunner, (await queryRunner.connect()) as PoolClient);
      return await transaction.#run(first, work, last);
    } finally {
      await queryRunner.release();
    }
  }

  async #run<Row, T>(
    first: string,
    work: (queryRunner: QueryRunner, rows: readonly Row[]) => Promise<T>,
    last: (value: T) => string | undefined,
  ): Promise<T> {
    try {
      const results = await this.#send(`START TRANSACTION ISOLATION LEVEL READ COMMITTED; ${first}`);
      Object.assign(this.#state, { isTransactionActive: true, transactionDepth: 1 });
      const value = await work(this.queryRunner, (results.at(-1)?.rows ?? []) as Row[]);
      // Somebody has ended it who had not begun it.
      if (!this.#state.isTransactionActive) throw new TransactionNotStartedError();
      await this.#send([last(value), 'COMMIT'].filter((part) => part !== undefined).join('; '));
      return value;
    } catch (error) {
      // The first error tells why. A connection that cannot roll back is destroyed when it is released.
      await this.#send('ROLLBACK').catch(() => undefined);
      throw error;
    } finally {
      Object.assign(this.#state, { isTransactionActive: false, transactionDepth: 0 });
    }
  }

  async #send(text: string): Promise<QueryResult[]> {
    this.queryRunner.dataSource.logger.logQuery(text, undefined, this.queryRunner);
    // pg gives one result for one statement, and a list for several.
    return [await this.client.query(text)].flat();
  }
}
