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

/**
 * The objects of one schema in a form that PostgreSQL finds fast: all of them, and the stretches of oids that they lie
 * in. A schema is made at once, or a migration at a time, so a few stretches hold thousands of objects.
 */
export interface ObjectSet {
  /** The schema's own. */
  readonly schemaOid: number;
  readonly catalogs: readonly number[];
  readonly oids: readonly number[];
  readonly stretches: readonly { readonly catalog: number; readonly first: number; readonly last: number }[];
}

/** More than the oids between two tables that are made one after the other, which their indexes and types have. */
const MAX_GAP = 100;

export async function readObjectSet(
  executor: SqlExecutor,
  schemaOid: number,
  keys: Iterable<ObjectKey>,
): Promise<ObjectSet> {
  const byCatalog = new Map<string, number[]>();
  for (const key of [`pg_namespace:${schemaOid}`, ...keys]) {
    const [catalog, oid] = key.split(':');
    const known = byCatalog.get(`pg_catalog.${catalog}`);
    if (known) known.push(Number(oid));
    else byCatalog.set(`pg_catalog.${catalog}`, [Number(oid)]);
  }
  const found = await rows<{ name: string; oid: number }>(
    executor,
    `SELECT name, name::pg_catalog.regclass::pg_catalog.oid AS oid FROM pg_catalog.unnest($1::text[]) AS catalog (name)`,
    [[...byCatalog.keys()]],
  );
  const sorted = found.map(({ name, oid }) => ({ oid, oids: byCatalog.get(name)!.sort((a, b) => a - b) }));
  return {
    schemaOid,
    catalogs: sorted.flatMap(({ oid, oids }) => oids.map(() => oid)),
    oids: sorted.flatMap(({ oids }) => oids),
    stretches: sorted.flatMap(({ oid: catalog, oids }) =>
      stretchesOf(oids).map((stretch) => ({ catalog, ...stretch })),
    ),
  };
}

function stretchesOf(sorted: readonly number[]): { first: number; last: number }[] {
  const found: { first: number; last: number }[] = [];
  for (const oid of sorted) {
    const latest = found.at(-1);
    if (latest && oid - latest.last <= MAX_GAP) latest.last = oid;
    else found.push({ first: oid, last: oid });
  }
  return found;
}

/**
 * Like `readOutsideDependencies`, for the schema that these objects were read from. They may have been read long before,
 * so what was added to the schema since is not found. None in a database that does not have that schema.
 */
export async function readDependenciesOf(
  executor: SqlExecutor,
  schemaName: string,
  { schemaOid, catalogs, oids, stretches }: ObjectSet,
): Promise<Dependency[]> {
  const isOwn = (side: string) => `((${side}) IN (SELECT classid, objid FROM own)) IS TRUE`;
  const isOther = (side: string) => `(${side}) NOT IN (SELECT classid, objid FROM own)`;
  const found = await rows<{ dependent: ObjectKey; needed: ObjectKey }>(
    executor,
    `WITH own AS MATERIALIZED (SELECT * FROM unnest($1::oid[], $2::oid[]) AS own (classid, objid)),
     stretch AS MATERIALIZED (
       SELECT * FROM unnest($3::oid[], $4::oid[], $5::oid[]) AS stretch (classid, first, last)
       WHERE EXISTS (SELECT FROM pg_namespace WHERE oid = $6 AND nspname = $7)
     ),
     crossing AS (
       SELECT d.classid, d.objid, d.refclassid, d.refobjid
       FROM stretch s CROSS JOIN LATERAL (
         SELECT * FROM pg_depend WHERE classid = s.classid AND objid BETWEEN s.first AND s.last OFFSET 0) d
       WHERE ${isOther('d.refclassid, d.refobjid')} AND ${isOwn('d.classid, d.objid')}
         AND d.refclassid <> 'pg_language'::regclass
       UNION ALL
       SELECT d.classid, d.objid, d.refclassid, d.refobjid
       FROM stretch s CROSS JOIN LATERAL (
         SELECT * FROM pg_depend WHERE refclassid = s.classid AND refobjid BETWEEN s.first AND s.last OFFSET 0) d
       WHERE ${isOther('d.classid, d.objid')} AND ${isOwn('d.refclassid, d.refobjid')}
         AND (d.classid <> 'pg_class'::regclass OR (SELECT relkind FROM pg_class WHERE oid = d.objid) <> 't')
     )
     SELECT format('%s:%s', classid::regclass, objid) AS dependent,
            format('%s:%s', refclassid::regclass, refobjid) AS needed FROM crossing`,
    [
      catalogs,
      oids,
      stretches.map(({ catalog }) => catalog),
      stretches.map(({ first }) => first),
      stretches.map(({ last }) => last),
      schemaOid,
      schemaName,
    ],
  );
  return found.map(({ dependent, needed }) => [dependent, needed]);
}
