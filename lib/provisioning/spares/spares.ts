import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { quoteIdentifier, type SqlExecutor } from '../../common/sql';
import { isBesideRegistry, type Place } from '../../placement/place';
import { REGISTRY_DATA_SOURCE } from '../../registry/registry';
import { isSpareDatabaseOf } from '../marks/database-marks';
import { isSpareOf, SchemaMarks } from '../marks/schema-marks';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';

export interface Spare {
  readonly schemaName: string;
  /** The version of the template from which it was cloned; empty while it is being dropped. */
  readonly version: string;
  /** False when the schema was dropped by hand, or is missing after a restore. */
  readonly isThere: boolean;
  /**
   * Whether its comment says that it is a spare. If the registry was restored from an older backup, the schema may
   * already belong to a tenant.
   */
  readonly isWaiting: boolean;
}

/** SQL: whether the schema of the spare `s` exists. */
const IS_THERE = 'EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = s.schema_name)';

/** The SQL of spares. Every statement runs in the caller's transaction. */
@Injectable()
export class Spares {
  readonly #table: string;
  readonly #tenants: string;
  readonly #databases: string;
  /** SQL: whether the database of the spare `s` exists and has the mark of a spare. */
  readonly #databaseWaits: string;
  /** SQL: whether the schema of the spare `s` exists and has the mark of a spare. */
  readonly #waits: string;

  constructor(
    private readonly marks: SchemaMarks,
    @InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {
    this.#waits = `EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = s.schema_name AND ${isSpareOf(options.registrySchema)})`;
    this.#databases = `${quoteIdentifier(options.registrySchema)}.databases`;
    this.#databaseWaits = `EXISTS (SELECT FROM pg_catalog.pg_database d WHERE d.datname = s.name AND d.datconnlimit <> -2
      AND ${isSpareDatabaseOf(options.registrySchema)})`;
    this.#table = `${quoteIdentifier(options.registrySchema)}.spares`;
    this.#tenants = `${quoteIdentifier(options.registrySchema)}.tenants`;
  }

  /**
   * Takes a spare of that version and returns its schema, which nobody else can take; `undefined` when there is none.
   * `transaction` is on `server`.
   */
  async take(
    transaction: SqlExecutor,
    version: string,
    { server, isolation }: Place,
  ): Promise<string | undefined> {
    for (;;) {
      const isDatabase = isolation === 'database';
      const name = await this.#takeRow(transaction, version, isDatabase);
      if (name === undefined) return undefined;
      if (!isDatabase && !(await this.marks.isWaiting(transaction, name))) continue;
      if (!(await this.isTenants(name, { server, isolation }))) return name;
    }
  }

  /**
   * Whether a spare of that server is the schema of a tenant in the registry. On a further server it can be: a creation that a
   * crash has ended leaves the tenant's row and gives the spare back, and a backup of the server is older than the registry.
   */
  async isTenants(schemaName: string, place: Place): Promise<boolean> {
    if (isBesideRegistry({ place })) return false;
    const found = await this.registry.query<unknown[]>(
      `SELECT FROM ${this.#tenants} WHERE schema_name = $1`,
      [schemaName],
    );
    return found.length > 0;
  }

  async #takeRow(
    transaction: SqlExecutor,
    version: string,
    isDatabase: boolean,
  ): Promise<string | undefined> {
    const [row] = (await transaction.query(
      isDatabase
        ? `WITH taken AS (
         DELETE FROM ${this.#databases} WHERE name = (
           SELECT name FROM ${this.#databases} s WHERE template_version = $1 AND ${this.#databaseWaits}
           ORDER BY slot LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING name)
       SELECT name FROM taken`
        : `WITH taken AS (
         DELETE FROM ${this.#table} WHERE slot = (
           SELECT slot FROM ${this.#table} s WHERE template_version = $1 AND ${this.#waits}
           ORDER BY slot LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING schema_name)
       SELECT schema_name AS name FROM taken`,
      [version],
    )) as { name: string }[];
    return row?.name;
  }

  /** How many spares are ready: of that version, and of others. */
  async count(executor: SqlExecutor, version: string): Promise<{ ready: number; stale: number }> {
    const [found] = (await executor.query(
      `SELECT pg_catalog.count(*) FILTER (WHERE template_version = $1)::int AS ready,
              pg_catalog.count(*) FILTER (WHERE template_version <> $1)::int AS stale
       FROM ${this.#table} s WHERE ${this.#waits}`,
      [version],
    )) as { ready: number; stale: number }[];
    return found;
  }

  /** The same of databases. One that is not complete is neither. */
  async countDatabases(executor: SqlExecutor, version: string): Promise<{ ready: number; stale: number }> {
    const [found] = (await executor.query(
      `SELECT pg_catalog.count(*) FILTER (WHERE template_version = $1)::int AS ready,
              pg_catalog.count(*) FILTER (WHERE template_version <> $1)::int AS stale
       FROM ${this.#databases} s WHERE slot IS NOT NULL AND ${this.#databaseWaits}`,
      [version],
    )) as { ready: number; stale: number }[];
    return found;
  }

  /**
   * Slots without a spare of that version: among the first `count`, and all whose spare has another version, is gone or
   * was taken.
   */
  async listOpenSlots(transaction: SqlExecutor, version: string, count: number): Promise<number[]> {
    const found = (await transaction.query(
      `SELECT slot FROM (
         SELECT pg_catalog.generate_series(0, $2::int - 1) AS slot UNION SELECT slot FROM ${this.#table}) slots
       WHERE slot NOT IN (SELECT slot FROM ${this.#table} s WHERE template_version = $1 AND ${this.#waits}) ORDER BY slot`,
      [version, count],
    )) as { slot: number }[];
    return found.map(({ slot }) => slot);
  }

  /** Locks the slot until the caller's transaction ends. Returns false when another instance is working on it. */
  async lockSlot(transaction: SqlExecutor, slot: number): Promise<boolean> {
    const [{ locked }] = (await transaction.query(
      `SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext($1), $2) AS locked`,
      [`spares of ${this.options.registrySchema}`, slot],
    )) as { locked: boolean }[];
    return locked;
  }

  async find(transaction: SqlExecutor, slot: number): Promise<Spare | undefined> {
    const [row] = (await transaction.query(
      `SELECT schema_name AS "schemaName", template_version AS version, ${IS_THERE} AS "isThere",
              ${this.#waits} AS "isWaiting"
       FROM ${this.#table} s WHERE slot = $1`,
      [slot],
    )) as Spare[];
    return row;
  }

  /** Whether a schema is a spare. It remains one until the caller's transaction ends. */
  async has(transaction: SqlExecutor, schemaName: string): Promise<boolean> {
    const found = (await transaction.query(`SELECT FROM ${this.#table} WHERE schema_name = $1 FOR SHARE`, [
      schemaName,
    ])) as unknown[];
    if (found.length > 0) return true;
    const databases = (await transaction.query(
      `SELECT FROM ${this.#databases} WHERE name = $1 AND slot IS NOT NULL FOR SHARE`,
      [schemaName],
    )) as unknown[];
    return databases.length > 0;
  }

  /** As `listOpenSlots`, of databases. */
  async listOpenDatabaseSlots(transaction: SqlExecutor, version: string, count: number): Promise<number[]> {
    const found = (await transaction.query(
      `SELECT slot FROM (
         SELECT pg_catalog.generate_series(0, $2::int - 1) AS slot
         UNION SELECT slot FROM ${this.#databases} WHERE slot IS NOT NULL) slots
       WHERE slot >= $2 OR slot NOT IN (
         SELECT slot FROM ${this.#databases} s WHERE slot IS NOT NULL AND template_version = $1 AND ${this.#databaseWaits})
       ORDER BY slot`,
      [version, count],
    )) as { slot: number }[];
    return found.map(({ slot }) => slot);
  }

  /** The database in a slot. One that is not complete has no version, and does not wait. */
  async findDatabase(
    transaction: SqlExecutor,
    slot: number,
  ): Promise<{ name: string; version: string | null; isWaiting: boolean } | undefined> {
    const [row] = (await transaction.query(
      `SELECT name, template_version AS version, ${this.#databaseWaits} AS "isWaiting" FROM ${this.#databases} s WHERE slot = $1`,
      [slot],
    )) as { name: string; version: string | null; isWaiting: boolean }[];
    return row;
  }

  /** Says that a database is complete, and may be taken. */
  async complete(transaction: SqlExecutor, name: string, version: string): Promise<void> {
    await transaction.query(`UPDATE ${this.#databases} SET template_version = $2 WHERE name = $1`, [
      name,
      version,
    ]);
  }

  async add(
    transaction: SqlExecutor,
    slot: number,
    { schemaName, version }: Pick<Spare, 'schemaName' | 'version'>,
  ): Promise<void> {
    await transaction.query(
      `INSERT INTO ${this.#table} (slot, schema_name, template_version) VALUES ($1, $2, $3)`,
      [slot, schemaName, version],
    );
  }

  /** Marks the spare as used up, so that it is not taken even when the template returns to its version. */
  async condemn(transaction: SqlExecutor, slot: number): Promise<void> {
    await transaction.query(`UPDATE ${this.#table} SET template_version = '' WHERE slot = $1`, [slot]);
  }

  async remove(transaction: SqlExecutor, slot: number): Promise<void> {
    await transaction.query(`DELETE FROM ${this.#table} WHERE slot = $1`, [slot]);
  }
}
