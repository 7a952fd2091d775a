import type { SqlExecutor } from '../../common/sql';

const MAX_NAMED = 10;

/**
 * Objects outside of a schema that CASCADE would drop together with it: views, foreign keys, defaults, functions. At most
 * ten of them, in PostgreSQL's words.
 */
export async function findOutsideDependents(executor: SqlExecutor, schemaName: string): Promise<string[]> {
  const found = (await executor.query(
    `WITH schema AS (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1),
     member AS MATERIALIZED (
       SELECT d.classid, d.objid FROM pg_catalog.pg_depend d, schema
       WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = schema.oid
     ),
     needed AS (
       SELECT classid, objid FROM member
       UNION ALL
       SELECT 'pg_catalog.pg_type'::regclass, t.oid FROM member m
       JOIN pg_catalog.pg_class c ON m.classid = 'pg_catalog.pg_class'::regclass AND c.oid = m.objid
       JOIN pg_catalog.pg_type t ON t.oid = c.reltype
     ),
     dependent AS (
       SELECT DISTINCT d.classid, d.objid FROM needed n
       JOIN pg_catalog.pg_depend d ON d.refclassid = n.classid AND d.refobjid = n.objid AND d.deptype IN ('n', 'a')
     ),
     placed AS (
       SELECT d.*, CASE d.classid
         WHEN 'pg_catalog.pg_class'::regclass THEN (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = d.objid)
         WHEN 'pg_catalog.pg_type'::regclass THEN (SELECT typnamespace FROM pg_catalog.pg_type WHERE oid = d.objid)
         WHEN 'pg_catalog.pg_proc'::regclass THEN (SELECT pronamespace FROM pg_catalog.pg_proc WHERE oid = d.objid)
         WHEN 'pg_catalog.pg_constraint'::regclass
           THEN (SELECT connamespace FROM pg_catalog.pg_constraint WHERE oid = d.objid)
         WHEN 'pg_catalog.pg_attrdef'::regclass THEN (
           SELECT c.relnamespace FROM pg_catalog.pg_attrdef a JOIN pg_catalog.pg_class c ON c.oid = a.adrelid
           WHERE a.oid = d.objid)
         WHEN 'pg_catalog.pg_rewrite'::regclass THEN (
           SELECT c.relnamespace FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
           WHERE r.oid = d.objid)
         WHEN 'pg_catalog.pg_trigger'::regclass THEN (
           SELECT c.relnamespace FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
           WHERE t.oid = d.objid)
       END AS schema FROM dependent d
     )
     SELECT pg_catalog.pg_describe_object(p.classid, p.objid, 0) AS description FROM placed p, schema
     WHERE p.schema <> schema.oid ORDER BY 1 LIMIT ${MAX_NAMED}`,
    [schemaName],
  )) as { description: string }[];
  return found.map(({ description }) => description);
}
