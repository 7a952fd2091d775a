import { Client } from 'pg';
import { quoteIdentifier, type SqlExecutor } from '../../../lib/common/sql';
import { type Blueprint, compileBlueprint } from '../../../lib/schema/blueprint';
import { replayBlueprint } from '../../../lib/schema/clone';
import { verifyClone } from '../../../lib/schema/verify';
import { fingerprintSchema } from '../../../lib/schema/fingerprint';
import { hashStructures, readHashQuery } from '../../../lib/schema/structure-hashes';
import { createTestDatabase, type TestDatabase } from '../../support/database';

/** Those that grow with the number of schemas. */
const CATALOGS = [
  'pg_attrdef',
  'pg_attribute',
  'pg_class',
  'pg_constraint',
  'pg_default_acl',
  'pg_depend',
  'pg_description',
  'pg_enum',
  'pg_index',
  'pg_inherits',
  'pg_policy',
  'pg_proc',
  'pg_publication_rel',
  'pg_rewrite',
  'pg_sequence',
  'pg_statistic_ext',
  'pg_trigger',
  'pg_type',
];

export interface Prints {
  readonly fingerprint: string;
  readonly hash: string | undefined;
}

export function expectOtherPrints(after: Prints, before: Prints): void {
  expect(after.fingerprint).not.toBe(before.fingerprint);
  expect(after.hash).not.toBe(before.hash);
}

/** A database with one connection of the test's own, and what tests of schemas do with it. */
export class SchemaBench {
  private constructor(
    readonly database: TestDatabase,
    private readonly client: Client,
  ) {}

  static async open(): Promise<SchemaBench> {
    const database = await createTestDatabase();
    const client = new Client({ connectionString: database.url });
    await client.connect();
    return new SchemaBench(database, client);
  }

  async close(): Promise<void> {
    await this.client.end();
    await this.database.drop();
  }

  readonly executor: SqlExecutor = {
    query: async (sql: string, values?: unknown[]): Promise<unknown> => {
      const result: unknown = await this.client.query(sql, values);
      return (result as { rows?: unknown[] }).rows ?? result;
    },
  };

  async rows<Row = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]> {
    return (await this.executor.query(sql, values)) as Row[];
  }

  async majorVersion(): Promise<number> {
    const [{ version }] = await this.rows<{ version: number }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS version`,
    );
    return version;
  }

  /** Rows that scans of whole catalogs have read in this transaction, by catalog. */
  async scannedRows(): Promise<Map<string, number>> {
    const counts = await this.rows<{ name: string; tuples: number }>(
      `SELECT name, pg_stat_get_xact_tuples_returned(name::regclass)::int AS tuples FROM unnest($1::text[]) AS name`,
      [CATALOGS],
    );
    return new Map(counts.map(({ name, tuples }) => [name, tuples]));
  }

  /** Makes the schema afresh and runs the script with it alone on the search path. */
  async build(schemaName: string, script: string): Promise<void> {
    const name = quoteIdentifier(schemaName);
    await this.executor.query(`DROP SCHEMA IF EXISTS ${name} CASCADE; CREATE SCHEMA ${name}`);
    await this.alter(schemaName, script);
  }

  /** What is kept of a schema's structure, and what clones are verified by: each must change with every property. */
  async prints(schemaName: string): Promise<Prints> {
    return {
      fingerprint: await fingerprintSchema(this.executor, schemaName),
      hash: (await hashStructures(this.executor, await readHashQuery(this.executor), [schemaName])).get(
        schemaName,
      ),
    };
  }

  async alter(schemaName: string, script: string): Promise<void> {
    await this.inTransaction(() =>
      this.executor.query(`SET LOCAL search_path = ${quoteIdentifier(schemaName)}; ${script}`),
    );
  }

  /** Its statements. What prints otherwise in the clone is an error, unless the template is `written` by hand. */
  async clone(...args: Parameters<SchemaBench['cloneByBlueprint']>): Promise<string[]> {
    return [...(await this.cloneByBlueprint(...args)).statements];
  }

  /** Like `clone`; returns the blueprint. */
  async cloneByBlueprint(
    template: string,
    clone: string,
    { written = false, sharedSchemas = [] as readonly string[] } = {},
  ): Promise<Blueprint> {
    await this.executor.query(`DROP SCHEMA IF EXISTS ${quoteIdentifier(clone)} CASCADE`);
    return this.inTransaction(async () => {
      const blueprint = await compileBlueprint(this.executor, template, { sharedSchemas });
      await replayBlueprint(this.executor, blueprint, clone);
      const prints = await verifyClone(this.executor, blueprint, clone);
      if (!written) expect(prints.lines).toEqual([]);
      return blueprint;
    });
  }

  /** Runs `work` with the schema alone on the search path, and rolls back what it did. */
  async trial<T>(schemaName: string, work: () => Promise<T>): Promise<T> {
    await this.executor.query(`BEGIN; SET LOCAL search_path = ${quoteIdentifier(schemaName)}`);
    try {
      return await work();
    } finally {
      await this.executor.query('ROLLBACK');
    }
  }

  async inTransaction<T>(work: () => Promise<T>): Promise<T> {
    await this.executor.query('BEGIN');
    try {
      const result = await work();
      await this.executor.query('COMMIT');
      return result;
    } catch (error) {
      await this.executor.query('ROLLBACK');
      throw error;
    }
  }
}
