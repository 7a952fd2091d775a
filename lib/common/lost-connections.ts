import type { DataSource, QueryRunner } from 'typeorm';

/** What TypeORM calls when a runner is released, and with an error when its connection is lost. */
interface RunnerInternals {
  releasePostgresConnection(lost?: Error): Promise<void>;
}

/**
 * Has each query runner keep a connection that was lost until it is released. What is asked of it then fails with pg's own
 * words, which say an outage. TypeORM would release the runner at once, and say afterwards only that it was released, which
 * is what it says of a mistake in the code.
 */
export function keepLostConnections(dataSource: DataSource): DataSource {
  const create = dataSource.createQueryRunner.bind(dataSource);
  dataSource.createQueryRunner = (mode) => keeping(create(mode));
  return dataSource;
}

function keeping(queryRunner: QueryRunner): QueryRunner {
  const runner = queryRunner as unknown as RunnerInternals;
  const release = runner.releasePostgresConnection.bind(runner);
  runner.releasePostgresConnection = (lost) => (lost ? Promise.resolve() : release());
  return queryRunner;
}
