import type { SqlExecutor } from '../common/sql';
import { type CatalogSchema, rows } from './catalog';
import { KNOWN_COLUMNS, ROW_CATALOGS } from './catalog-columns';
import { neededFor } from './catalogs-in-use';
import { OBJECTS } from './objects';
import { ofColumn, ofRelation, unknownParameters } from './storage-parameters';

/**
 * What this server stores and no clone gets and no comparison sees, because it came after PostgreSQL 18 or with a minor
 * release: columns of its catalogs, and storage parameters of objects in the schema. Each in words.
 */
export async function findUnknownObjects(executor: SqlExecutor, schema: CatalogSchema): Promise<string[]> {
  const found = await rows<{ name: string }>(
    executor,
    neededFor(
      schema.catalogs,
      `WITH ${OBJECTS}
     SELECT format('%s.%s', c.relname, a.attname) AS name
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relname = ANY ($2::text[])
       AND format('%s.%s', c.relname, a.attname) <> ALL ($3::text[])
     UNION ALL
     SELECT format('parameter %s of %s', parameter, c.oid::regclass)
     FROM object o JOIN pg_class c ON c.oid = o.objid CROSS JOIN LATERAL (
       SELECT unnest(${unknownParameters(ofRelation('c'))})
       UNION SELECT unnest(${unknownParameters(ofRelation('toast'))}) FROM pg_class toast WHERE toast.oid = c.reltoastrelid
     ) AS unknown (parameter) WHERE o.classid = 'pg_class'::regclass
     UNION ALL
     SELECT format('parameter %s of column %s.%I', parameter, r.oid::regclass, a.attname)
     FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
     CROSS JOIN LATERAL unnest(${unknownParameters(ofColumn('a'))}) AS unknown (parameter)
     ORDER BY name`,
    ),
    [[schema.oid], ROW_CATALOGS, KNOWN_COLUMNS],
  );
  return found.map(({ name }) => name);
}
