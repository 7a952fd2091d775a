import type { SqlExecutor } from '../common/sql';
import { type CatalogSchema, rows } from './catalog';
import { neededFor } from './catalogs-in-use';
import { type ObjectKey, OBJECTS } from './objects';

/** An object, and one that it needs. */
export type Tie = readonly [dependent: ObjectKey, needed: ObjectKey];

/**
 * The ties that cross a schema's border, either way. PostgreSQL's own objects have none; languages, which lie in no
 * schema, and the schema's TOAST tables do not count.
 *
 * `NOT IN` becomes a look-up by hash, which the settings of reading do not forbid as they forbid a join.
 */
export async function readOutsideTies(
  executor: SqlExecutor,
  { oid, catalogs }: Pick<CatalogSchema, 'oid' | 'catalogs'>,
): Promise<Tie[]> {
  const found = await rows<{ dependent: ObjectKey; needed: ObjectKey }>(
    executor,
    neededFor(
      catalogs,
      `WITH ${OBJECTS},
     own AS MATERIALIZED (
       SELECT classid, objid FROM object UNION SELECT 'pg_namespace'::regclass, unnest($1::oid[])
     ),
     tie AS (
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
            format('%s:%s', refclassid::regclass, refobjid) AS needed FROM tie`,
    ),
    [[oid]],
  );
  return found.map(({ dependent, needed }) => [dependent, needed]);
}
