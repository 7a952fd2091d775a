import { Inject, Injectable } from '@nestjs/common';
import type { SqlExecutor } from '../../common/sql';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning.options';
import { TYPEORM_METADATA } from '../template/template-data';
import type { Located } from '../marks/database-marks';
import { TenantDatabases } from './tenant-databases';

interface Table {
  readonly name: string;
  /** Quoted and qualified. */
  readonly fullName: string;
}

/** What is in a tenant's own database. */
@Injectable()
export class DatabaseRows {
  constructor(
    private readonly databases: TenantDatabases,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
  ) {}

  /**
   * Whether the schema in it has rows that it was not made with. Those of `templateData` are compared with the template, which is
   * in another database, by a hash of all of them.
   *
   * @param transaction in the server's main database
   */
  async hasOwn(transaction: SqlExecutor, { schemaName, server }: Located): Promise<boolean> {
    const { templateSchema, templateData } = this.options;
    const given = new Map<string, string>();
    for (const { name, fullName } of await listTables(transaction, templateSchema))
      if (templateData.includes(name)) given.set(name, await hashOf(transaction, fullName));
    return this.databases.inside({ server, database: schemaName }, async (session) => {
      // A policy that hid rows from the owner would have them dropped; this way it is an error.
      await session.query('SET row_security = off');
      for (const { name, fullName } of await listTables(session, schemaName)) {
        if (name === TYPEORM_METADATA) continue;
        const [{ isFilled }] = (await session.query(
          `SELECT EXISTS (SELECT FROM ${fullName}) AS "isFilled"`,
        )) as { isFilled: boolean }[];
        if (isFilled && (await hashOf(session, fullName)) !== given.get(name)) return true;
      }
      return this.#hasOthers(session, schemaName);
    });
  }

  /** Whether there is anything in tables beside its schema that it was not made with, or a large object. */
  async #hasOthers(session: SqlExecutor, schemaName: string): Promise<boolean> {
    const { registrySchema, sharedSchemas } = this.options;
    const others = (await session.query(OTHER_TABLES, [
      [schemaName, registrySchema, ...sharedSchemas],
    ])) as Table[];
    const places = ['pg_catalog.pg_largeobject_metadata', ...others.map(({ fullName }) => fullName)];
    for (const place of places) {
      const [{ isFilled }] = (await session.query(`SELECT EXISTS (SELECT FROM ${place}) AS "isFilled"`)) as {
        isFilled: boolean;
      }[];
      if (isFilled) return true;
    }
    return false;
  }
}

/** SQL: the tables outside of the schemas $1, but those of PostgreSQL and of extensions. */
const OTHER_TABLES = `
  SELECT c.relname::text AS name, pg_catalog.format('%I.%I', n.nspname, c.relname) AS "fullName"
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND n.nspname <> ALL ($1::name[]) AND n.nspname !~ '^(pg_|information_schema$)'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.objid = c.oid AND d.deptype = 'e')`;

async function listTables(executor: SqlExecutor, schemaName: string): Promise<Table[]> {
  return (await executor.query(
    `SELECT tablename::text AS name, pg_catalog.format('%I.%I', schemaname, tablename) AS "fullName"
     FROM pg_catalog.pg_tables WHERE schemaname = $1 ORDER BY 1`,
    [schemaName],
  )) as Table[];
}

/** Of the rows as JSON, because a type of the schema's own is not the template's type of the same name. */
async function hashOf(executor: SqlExecutor, table: string): Promise<string> {
  const [{ hash }] = (await executor.query(
    `SELECT pg_catalog.md5(pg_catalog.string_agg(row, E'\\n' ORDER BY row COLLATE "C")) AS hash
     FROM (SELECT pg_catalog.to_jsonb(held.*)::text AS row FROM ONLY ${table} AS held) AS held_rows`,
  )) as { hash: string | null }[];
  return hash ?? '';
}
