import type { CustomTypesConfig, PoolClient, QueryConfig, QueryResult } from 'pg';
import type { DataSource } from 'typeorm';
import { splitStatements, type SqlStatement, wordsOf } from '../../common/split-statements';
import { ReadOnlyTextError } from '../connection.errors';
import type { TenantClient } from './tenant-client';
import { transactionCommand } from './transaction-text';

type LentClient = PoolClient & Pick<TenantClient, 'standardStrings'>;

/**
 * The results of a text's statements, in one transaction that only reads and is rolled back, so that neither rows nor
 * parameters are left.
 *
 * Nothing rests on how the text is read here. PostgreSQL is given one statement at a time, in the protocol that takes
 * no more than one, and a transaction that has read cannot be made one that writes. If a statement ends it all the
 * same, that was the last one.
 *
 * @throws ReadOnlyTextError for a text that begins or ends transactions, or resets parameters. None of it has run, unless PostgreSQL saw a
 *   command where none was seen here.
 */
export async function runReadOnly<Row extends object>(
  dataSource: DataSource,
  sql: string,
  types?: CustomTypesConfig,
): Promise<QueryResult<Row>[]> {
  const queryRunner = dataSource.createQueryRunner();
  try {
    const client = (await queryRunner.connect()) as LentClient;
    await client.query('START TRANSACTION READ ONLY');
    try {
      // From the first snapshot on SET TRANSACTION READ WRITE is refused, by whatever name.
      await client.query('SELECT');
      return await runEach<Row>(client, sql, types);
    } finally {
      await client.query('ROLLBACK');
    }
  } finally {
    await queryRunner.release();
  }
}

/**
 * PostgreSQL 15 resets `transaction_read_only` whatever was read before; what is written then is rolled back, sequences
 * are not.
 */
function endsReading({ head }: SqlStatement): boolean {
  return transactionCommand(head) !== undefined || wordsOf(head)[0] === 'reset';
}

async function runEach<Row extends object>(
  client: LentClient,
  sql: string,
  types?: CustomTypesConfig,
): Promise<QueryResult<Row>[]> {
  const statements = splitStatements(sql, client.standardStrings);
  if (statements?.some(endsReading)) throw new ReadOnlyTextError();
  const results: QueryResult<Row>[] = [];
  // What cannot be read here PostgreSQL refuses.
  for (const text of statements?.map((statement) => statement.text) ?? [sql]) {
    const config: QueryConfig & { queryMode: 'extended' } = { text, types, queryMode: 'extended' };
    results.push(await client.query<Row>(config));
    if (client.getTransactionStatus() !== 'T') throw new ReadOnlyTextError();
  }
  return results;
}
