import type { PoolClient, QueryConfig, QueryResult } from 'pg';
import { type SqlStatement, splitStatements } from '../common/split-statements';
import { KNOWN_STATEMENTS, plainStatement } from '../connection/protocol/carried-text';
import { type DataSource, type QueryRunner, TransactionNotStartedError } from 'typeorm';

/** What TypeORM keeps of a query runner's transaction. */
interface TransactionState {
  isTransactionActive: boolean;
  transactionDepth: number;
}

const [START, COMMIT, ROLLBACK] = splitStatements(
  'START TRANSACTION ISOLATION LEVEL READ COMMITTED; COMMIT; ROLLBACK',
) as SqlStatement[];

/**
 * Runs `work` in a transaction whose first statements travel with its START, and whose last ones with its COMMIT.
 * TypeORM sends a message for each of them, and START and isolation level apart: a fleet has thousands of transactions, and
 * most of what one costs is its messages. Rolled back when `work` rejects.
 *
 * READ COMMITTED: under a stricter default, who waited for a lock would not see what it was held for. To TypeORM the query
 * runner is in a transaction like any other, in which savepoints can be made.
 *
 * @param first statements without parameters; `work` is told the rows of their last one
 * @param last statements without parameters, once `work` has resolved
 */
export async function terseTransaction<Row>(
  dataSource: DataSource,
  first: readonly string[],
  work: (queryRunner: QueryRunner, rows: readonly Row[]) => Promise<void>,
  last: () => readonly string[],
): Promise<void> {
  const queryRunner = dataSource.createQueryRunner();
  const client = (await queryRunner.connect()) as PoolClient;
  const state = queryRunner as unknown as TransactionState;
  const send = async (...statements: readonly SqlStatement[]): Promise<QueryResult[]> => {
    const text = statements.map((each) => each.text).join('; ');
    dataSource.logger.logQuery(text, undefined, queryRunner);
    const query: QueryConfig & { [KNOWN_STATEMENTS]: readonly SqlStatement[] } = {
      text,
      [KNOWN_STATEMENTS]: statements,
    };
    // pg gives one result for one statement, and a list for several.
    return [await client.query(query)].flat();
  };
  try {
    const results = await send(START, ...first.map(plainStatement));
    Object.assign(state, { isTransactionActive: true, transactionDepth: 1 });
    await work(queryRunner, (results.at(-1)?.rows ?? []) as Row[]);
    // Somebody has ended it who had not begun it.
    if (!state.isTransactionActive) throw new TransactionNotStartedError();
    await send(...last().map(plainStatement), COMMIT);
  } catch (error) {
    // The first error tells why. A connection that cannot roll back is destroyed when it is released.
    await send(ROLLBACK).catch(() => undefined);
    throw error;
  } finally {
    Object.assign(state, { isTransactionActive: false, transactionDepth: 0 });
    await queryRunner.release();
  }
}
