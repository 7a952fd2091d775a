import type { SqlExecutor } from '../common/sql';
import { type CatalogSchema, rows } from './catalog';
import { neededFor } from './catalogs-in-use';
import { type ObjectKey, OBJECTS } from './objects';

/** An object, and another one that it depends on. */
export type Dependency = readonly [dependent: ObjectKey, needed: ObjectKey];

/**
 * The dependencies that cross the border of a schema, in either direction. pg_depend has none on PostgreSQL's own
 * objects. Languages, which lie in no schema, and the schema's TOAST tables do not count.
 *
 * PostgreSQL runs `NOT IN` as a look-up in a hash table, which `PLANNER_PARAMETERS` does not forbid. A join would be
 * forbidden.
 */
export async function readOutsideDependencies(
  executor: SqlExecutor,
  { oid, catalogs }: Pick<CatalogSchema, 'oid' | 'catalogs'>,
): Promise<Dependency[]> {
  const found = await rows<{ dependent: ObjectKey; needed: ObjectKey }>(
    executor,
    neededFor(
      catalogs,
      `WITH ${OBJECTS},
     own AS MATERIALIZED (
       SELECT classid, objid FROM object UNION SELECT 'pg_namespace'::regclass, unnest($1::oid[])
     ),
     crossing AS (
       SELECT d.classid, d.objid, d.refclassid, d.refobjid
       FROM own o CROSS JOIN LATERAL (
         SELECT * FROM pg_depend WHERE classid = o.classid AND objid = o.objid OFFSET 0) d
       WHERE (d.refclassid, d.refobjid) NOT IN (SELECT classid, objid FROM own)
         AND d.refclassid <> 'pg_language'::regclass
       UNION ALL
       SELECT d.classid, d.objid, d.refclassid, d.refobjid
       FROM own o CROSS JOIN LATERAL (
         SELECT * FROM pg_depend WHERE refclassid = o.classid AND refobjid = o.objid OFFSET 0) d
       WHERE (d.classid, d.objid) NOT IN (SELECT classid, objid FROM own)
         AND (d.classid <> 'pg_class'::regclass OR (SELECT relkind FROM pg_class WHERE oid = d.objid) <> 't')
     )
     SELECT format('%s:%s', classid::regclass, objid) AS dependent,
            format('%s:%s', refclassid::regclass, refobjid) AS needed FROM crossing`,
    ),
    [[oid]],
  );
  return found.map(({ dependent, needed }) => [dependent, needed]);
}
