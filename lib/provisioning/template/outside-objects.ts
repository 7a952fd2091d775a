import type { SqlExecutor } from '../../common/sql';
import { OWN_NAME } from '../../registry/schema-name';

/** Objects in schemas other than the template's, by class and oid. */
export type OutsideObjects = ReadonlySet<string>;

/** An object that was made in a schema other than the migration's own. */
export interface StrayObject {
  readonly schema: string;
  /** The kind in PostgreSQL's words: `table`. */
  readonly type: string;
  /** The name as PostgreSQL writes it: `public.orders`. */
  readonly identity: string;
}

interface IdRow {
  readonly classid: string;
  readonly objid: string;
}

/**
 * The objects in schemas other than `own`, PostgreSQL's, and those with names like tenants' schemas. Objects are found
 * by their schema, so the cost does not grow with the number of tenants.
 */
export async function readOutside(executor: SqlExecutor, own: string): Promise<OutsideObjects> {
  return new Set((await readIds(executor, own)).map(idOf));
}

/**
 * The objects that the current transaction has made there since `before` was read. Objects of an extension are left
 * out: it can be created once in a database only, and CREATE EXTENSION IF NOT EXISTS does nothing for the next tenant.
 */
export async function findStrays(
  transaction: SqlExecutor,
  own: string,
  before: OutsideObjects,
): Promise<StrayObject[]> {
  const made = (await readIds(transaction, own)).filter((each) => !before.has(idOf(each)));
  if (made.length === 0) return [];
  return (await transaction.query(
    // Other applications may make objects at the same time. A row that is visible although its transaction is in
    // progress is our own.
    `SELECT n.nspname AS schema, i.type, i.identity
     FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) AS made (classid, objid)
     JOIN pg_catalog.pg_depend d ON d.classid = made.classid AND d.objid = made.objid
       AND d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
     JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid
     CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) i
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                       WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype IN ('e', 'i'))
       AND pg_catalog.pg_xact_status((pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8
             - pg_catalog.age(d.xmin))::pg_catalog.text::pg_catalog.xid8) = 'in progress'
     ORDER BY i.type, i.identity`,
    [made.map(({ classid }) => classid), made.map(({ objid }) => objid)],
  )) as StrayObject[];
}

async function readIds(executor: SqlExecutor, own: string): Promise<IdRow[]> {
  return (await executor.query(
    `SELECT d.classid::pg_catalog.text, d.objid::pg_catalog.text
     FROM pg_catalog.pg_namespace n
     JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = n.oid
     WHERE n.nspname <> $1 AND n.nspname !~ '^(pg_|information_schema$)' AND n.nspname !~ '${OWN_NAME}'
       AND d.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass`,
    [own],
  )) as IdRow[];
}

function idOf({ classid, objid }: IdRow): string {
  return `${classid} ${objid}`;
}
