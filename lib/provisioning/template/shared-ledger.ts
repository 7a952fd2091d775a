import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { checksumOf } from './migration-checksum';
import type { NamedMigration } from './named-migrations';

/** The SQL of the ledger of shared schemas: which migrations each of them has. */
export class SharedLedger {
  readonly #table: string;

  constructor(registrySchema: string) {
    this.#table = `${quoteIdentifier(registrySchema)}.shared_migrations`;
  }

  /** Names in their order, with the checksum that each had when it ran; `null` when none was stored. */
  async applied(executor: SqlExecutor, schemaName: string): Promise<Map<string, string | null>> {
    const rows = (await executor.query(
      `SELECT name, checksum FROM ${this.#table} WHERE schema_name = $1 ORDER BY timestamp, name`,
      [schemaName],
    )) as { name: string; checksum: string | null }[];
    return new Map(rows.map(({ name, checksum }) => [name, checksum]));
  }

  async record(
    transaction: SqlExecutor,
    schemaName: string,
    { name, timestamp, migration }: NamedMigration,
  ): Promise<void> {
    await transaction.query(
      `INSERT INTO ${this.#table} (schema_name, name, timestamp, checksum) VALUES ($1, $2, $3, $4)`,
      [schemaName, name, timestamp, checksumOf(migration)],
    );
  }

  async forget(transaction: SqlExecutor, schemaName: string, name: string): Promise<void> {
    await transaction.query(`DELETE FROM ${this.#table} WHERE schema_name = $1 AND name = $2`, [
      schemaName,
      name,
    ]);
  }

  /** Stores the migration's current checksum as the one that ran. Returns whether it was another one. */
  async acknowledge(
    executor: SqlExecutor,
    schemaName: string,
    { name, migration }: NamedMigration,
  ): Promise<boolean> {
    const changed = (await executor.query(
      `WITH changed AS (
         UPDATE ${this.#table} SET checksum = $3
         WHERE schema_name = $1 AND name = $2 AND checksum IS DISTINCT FROM $3 RETURNING name)
       SELECT name FROM changed`,
      [schemaName, name, checksumOf(migration)],
    )) as unknown[];
    return changed.length === 1;
  }
}
