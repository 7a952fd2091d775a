import type { SqlExecutor } from '../common/sql';
import { type CatalogSchema, rows } from './catalog';
import { OBJECTS, READ_CATALOGS } from './objects';
import type { Obstacle } from './schema.errors';

/** Why and what to do, by the reason that a query below gives. */
const REMEDIES = {
  'materialized view': 'materialized views are not cloned. Make it a view or a table.',
  'partitioned table': 'partitioned tables are not cloned. Make it an ordinary table.',
  partition: 'partitions are not cloned. Make it an ordinary table.',
  inheritance: 'table inheritance is not cloned. Give the table its columns itself.',
  'foreign table': 'foreign tables are not cloned. Keep it in a shared schema.',
  'composite type': 'composite types are not cloned. Use a table, columns or jsonb.',
  domain:
    'domains are not cloned. Use the base type with a check constraint, or keep the domain in a shared schema.',
  'range type': 'range types are not cloned. Keep the type in a shared schema.',
  'base type': 'types written in C are not cloned. Keep the type in a shared schema.',
  'typed table': 'tables made by CREATE TABLE … OF are not cloned. Detach it: ALTER TABLE … NOT OF.',
  'row security':
    'row level security and policies are not cloned. Disable it: the schema already parts the tenants.',
  'replica identity': 'a replica identity is not cloned. Reset it: ALTER TABLE … REPLICA IDENTITY DEFAULT.',
  'access method':
    'the table access method is not the default one, which a clone would get. Change one of the two.',
  tablespace: 'tablespaces are not cloned. Move it: ALTER … SET TABLESPACE to that of the database.',
  owner:
    'it belongs to another user than the current one, who would own the clone. Run the migrations as this user.',
  grants: 'grants are not cloned. Revoke them, or give them by ALTER DEFAULT PRIVILEGES without IN SCHEMA.',
  clustered: 'the mark of CLUSTER is not cloned. Remove it: ALTER TABLE … SET WITHOUT CLUSTER.',
  'invalid index': 'the index is not valid, so a build of it failed. Drop it, or REINDEX it.',
  'index statistics':
    'statistics targets of indexes are not cloned. Reset it: ALTER INDEX … SET STATISTICS -1.',
  hidden:
    'PostgreSQL has an object of that name, which comes first on every search path. Choose another name.',
  aggregate: 'aggregates are not cloned. Keep it in a shared schema.',
  'window function': 'window functions written in C are not cloned. Keep it in a shared schema.',
  'function in C': 'functions written in C are not cloned. Keep it in a shared schema.',
  'support function': 'a planner support function is not cloned. Keep the function in a shared schema.',
  transforms: 'transforms are not cloned. Recreate the function without its TRANSFORM clause.',
  'foreign key off': 'its check is switched off. Switch it on: ALTER TABLE … ENABLE TRIGGER ALL.',
  rule: 'rules are not cloned. Use a trigger.',
  comment: 'a comment on it is not cloned. Remove the comment, or comment on the table or view instead.',
  'security label': 'security labels are not cloned. Remove it: SECURITY LABEL … IS NULL.',
  extension:
    'extensions are not cloned. Install it into a schema of its own that tenants share: ALTER EXTENSION … SET SCHEMA.',
  'depends on extension':
    'that it goes with an extension is not cloned. Remove the mark: ALTER … NO DEPENDS ON EXTENSION.',
  'names the schema':
    'it refers to this schema itself, and so would its clone. Use current_schema() instead.',
  other: 'objects of this kind are not cloned. Drop it, or keep it in a shared schema.',
} as const;

type Reason = keyof typeof REMEDIES;

/** Rows of classid, objid, objsubid, reason. */
const FINDINGS = `
  WITH ${OBJECTS},
  read_catalog AS MATERIALIZED (SELECT unnest(ARRAY[${READ_CATALOGS.map((catalog) => `'${catalog}'`).join(', ')}]::regclass[]) AS oid),
  owned AS MATERIALIZED (
    SELECT 'pg_class'::regclass AS classid, oid AS objid, relowner AS owner, relacl AS acl,
           CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char" AS kind, CASE relkind WHEN 'S' THEN 'S' ELSE 'r' END AS default_kind
    FROM relation
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, proowner, proacl, 'f', 'f'
    FROM member m JOIN pg_proc p ON p.oid = m.objid WHERE m.classid = 'pg_proc'::regclass
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, typowner, typacl, 'T', 'T'
    FROM member m JOIN pg_type t ON t.oid = m.objid WHERE m.classid = 'pg_type'::regclass
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid, nspowner, nspacl, 'n', 'n' FROM pg_namespace WHERE oid = ANY ($1::oid[])
  ),
  found (classid, objid, objsubid, reason) AS (
    -- Relations
    SELECT 'pg_class'::regclass::oid, oid, 0, CASE relkind
        WHEN 'm' THEN 'materialized view' WHEN 'p' THEN 'partitioned table' WHEN 'f' THEN 'foreign table'
        WHEN 'r' THEN NULL WHEN 'v' THEN NULL WHEN 'S' THEN NULL ELSE 'other' END
    FROM relation
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, 0, check_.reason
    FROM relation r CROSS JOIN LATERAL (VALUES
      (r.relispartition, 'partition'),
      (NOT r.relispartition AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = r.oid), 'inheritance'),
      (r.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = r.oid), 'inheritance'),
      (r.reloftype <> 0, 'typed table'),
      (r.relrowsecurity OR r.relforcerowsecurity, 'row security'),
      (r.relkind = 'r' AND r.relreplident <> 'd', 'replica identity'),
      (r.reltablespace <> 0, 'tablespace'),
      (NOT pg_table_is_visible(r.oid), 'hidden'),
      (r.relkind = 'r' AND r.relam <> 0 AND r.relam <> (
        SELECT oid FROM pg_am WHERE amname = current_setting('default_table_access_method')), 'access method')
    ) AS check_ (fails, reason) WHERE check_.fails
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, a.attnum, 'grants'
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
    WHERE cardinality(a.attacl) > 0 AND NOT a.attisdropped
    UNION ALL
    -- Indexes
    SELECT 'pg_class'::regclass, i.indexrelid, 0, check_.reason
    FROM relation r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class c ON c.oid = i.indexrelid
    CROSS JOIN LATERAL (VALUES
      (i.indisclustered, 'clustered'),
      (NOT i.indisvalid, 'invalid index'),
      (c.reltablespace <> 0, 'tablespace'),
      (NOT pg_table_is_visible(c.oid), 'hidden'),
      (EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attstattarget >= 0), 'index statistics')
    ) AS check_ (fails, reason) WHERE check_.fails
    UNION ALL
    -- Types
    SELECT 'pg_type'::regclass, t.oid, 0, CASE t.typtype
        WHEN 'c' THEN 'composite type' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range type' WHEN 'm' THEN 'range type'
        WHEN 'e' THEN CASE WHEN NOT pg_type_is_visible(t.oid) THEN 'hidden' END ELSE 'base type' END
    FROM member m JOIN pg_type t ON t.oid = m.objid WHERE m.classid = 'pg_type'::regclass
    UNION ALL
    -- Functions
    SELECT 'pg_proc'::regclass, p.oid, 0, check_.reason
    FROM member m JOIN pg_proc p ON p.oid = m.objid JOIN pg_language l ON l.oid = p.prolang
    CROSS JOIN LATERAL (VALUES
      (p.prokind = 'a', 'aggregate'),
      (p.prokind = 'w', 'window function'),
      (p.prokind IN ('f', 'p') AND l.lanname IN ('c', 'internal'), 'function in C'),
      (p.prosupport <> 0, 'support function'),
      (p.protrftypes IS NOT NULL, 'transforms'),
      (NOT pg_function_is_visible(p.oid), 'hidden')
    ) AS check_ (fails, reason) WHERE m.classid = 'pg_proc'::regclass AND check_.fails
    UNION ALL
    -- Triggers and rules
    SELECT 'pg_constraint'::regclass, tg.tgconstraint, 0, 'foreign key off'
    FROM relation r JOIN pg_trigger tg ON tg.tgrelid = r.oid WHERE tg.tgisinternal AND tg.tgenabled <> 'O'
    UNION ALL
    SELECT 'pg_rewrite'::regclass, w.oid, 0, 'rule'
    FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid WHERE w.rulename <> '_RETURN'
    UNION ALL
    -- Owners and grants
    SELECT classid, objid, 0, 'owner' FROM owned
    WHERE owner <> current_user::regrole AND classid <> 'pg_namespace'::regclass
    UNION ALL
    SELECT classid, objid, 0, 'grants'
    FROM owned CROSS JOIN LATERAL (
      SELECT acldefault(kind, owner) AS built_in, (
        SELECT defaclacl FROM pg_default_acl
        WHERE defaclrole = owner AND defaclnamespace = 0 AND defaclobjtype = default_kind::"char") AS given) AS usual
    WHERE acl IS NOT NULL AND NOT (acl @> built_in AND acl <@ built_in)
      AND NOT coalesce(acl @> given AND acl <@ given, false)
    UNION ALL
    -- Whatever else lies in the schema or hangs on something in it
    SELECT d.classid, d.objid, 0, CASE d.classid WHEN 'pg_extension'::regclass THEN 'extension' ELSE 'other' END
    FROM (SELECT classid, objid FROM object UNION ALL SELECT 'pg_namespace'::regclass, unnest($1::oid[])) o
    CROSS JOIN LATERAL (
      SELECT d.classid, d.objid FROM pg_depend d
      WHERE d.refclassid = o.classid AND d.refobjid = o.objid AND d.deptype NOT IN ('e', 'x')
    ) d
    WHERE d.classid NOT IN (SELECT oid FROM read_catalog) AND NOT EXISTS (
      SELECT FROM pg_depend e WHERE e.classid = o.classid AND e.objid = o.objid
        AND e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e')
    UNION ALL
    SELECT classid, objid, 0, 'names the schema' FROM member
    WHERE classid IN (SELECT oid FROM read_catalog)
      AND classid NOT IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass)
    UNION ALL
    SELECT CASE d.deptype WHEN 'e' THEN d.refclassid ELSE d.classid END,
           CASE d.deptype WHEN 'e' THEN d.refobjid ELSE d.objid END, 0,
           CASE d.deptype WHEN 'e' THEN 'extension' ELSE 'depends on extension' END
    FROM object o CROSS JOIN LATERAL (
      SELECT * FROM pg_depend d WHERE d.classid = o.classid AND d.objid = o.objid
    ) d
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype IN ('e', 'x')
    UNION ALL
    SELECT l.classoid, l.objoid, l.objsubid, 'security label'
    FROM object o JOIN pg_seclabel l ON l.classoid = o.classid AND l.objoid = o.objid
    UNION ALL
    SELECT d.classoid, d.objoid, 0, 'comment'
    FROM object o JOIN pg_description d ON d.classoid = o.classid AND d.objoid = o.objid
    WHERE d.classoid IN ('pg_rewrite'::regclass, 'pg_attrdef'::regclass)
       OR d.classoid = 'pg_type'::regclass AND o.ownerid IS NOT NULL
  )`;

/** What lies in the schema and a clone would lack or get wrong, by name. */
export async function findUnsupported(executor: SqlExecutor, schema: CatalogSchema): Promise<Obstacle[]> {
  const found = await rows<{ object: string; reason: Reason }>(
    executor,
    // What an extension owns is told once, as the extension.
    `${FINDINGS}
     SELECT DISTINCT pg_describe_object(classid, objid, objsubid) AS object, reason FROM found
     WHERE reason IS NOT NULL AND NOT EXISTS (
       SELECT FROM pg_depend d WHERE d.classid = found.classid AND d.objid = found.objid
         AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
     ORDER BY object, reason`,
    [[schema.oid]],
  );
  return found.map(({ object, reason }) => ({ object, remedy: REMEDIES[reason] }));
}
