import type { SqlExecutor } from '../common/sql';
import { type CatalogSchema, rows } from './catalog';
import { neededFor } from './catalogs-in-use';
import { OBJECTS } from './objects';
import { READ_CATALOG_ARRAY } from './read-catalogs';
import { OWNED } from './owned';
import type { Obstacle } from './schema.errors';
import { TYPE_FINDINGS, TYPE_REMEDIES } from './unsupported-types';

/** Why it cannot be cloned and what to do, by the reason that a query below gives. */
const REMEDIES = {
  ...TYPE_REMEDIES,
  'parent elsewhere':
    'its parent lies in another schema, and would show the rows of all clones. Detach it (ALTER TABLE … DETACH ' +
    'PARTITION, or NO INHERIT), or move the parent here.',
  'child elsewhere':
    'a table in another schema inherits from it or is its partition, and a clone would lack that table. Detach it, or move it here.',
  'detach pending':
    'its DETACH … CONCURRENTLY has not ended. End it: ALTER TABLE … DETACH PARTITION … FINALIZE.',
  'foreign table': 'foreign tables are not cloned. Keep it in a shared schema.',
  tablespace: 'tablespaces are not cloned. Move it: ALTER … SET TABLESPACE to that of the database.',
  owner:
    'another user than the current one owns it, and the current user would own the clone. Run the migrations as this user.',
  'granted by another':
    'a role other than its owner gave a grant on it; in a clone the owner would give it. Give the grant as the owner.',
  'default privileges of another':
    'the current user may not set default privileges of that role. Grant the current user the role, or revoke them.',
  publication:
    'the current user may not add to the publication, which needs its owner, and for a whole schema a superuser. ' +
    'Drop the schema or table from it, or publish FOR ALL TABLES.',
  'statistics elsewhere': 'it lies in another schema than its table. Move it: ALTER STATISTICS … SET SCHEMA.',
  'partitioned exclusion':
    'PostgreSQL cannot attach the index of an exclusion or of WITHOUT OVERLAPS to that of a partitioned table. Declare ' +
    'it on each partition instead.',
  'invalid index': 'the index is not valid, so a build of it failed. Drop it, or REINDEX it.',
  'foreign key off': 'its check is switched off. Switch it on: ALTER TABLE … ENABLE TRIGGER ALL.',
  comment: 'a comment on it is not cloned. Remove the comment, or comment on the table or view instead.',
  'security label': 'security labels are not cloned. Remove it: SECURITY LABEL … IS NULL.',
  extension:
    'extensions are not cloned. Install it into a schema of its own that tenants share: ALTER EXTENSION … SET SCHEMA.',
  'depends on extension':
    'it is marked to be dropped with an extension, which is not cloned. Remove the mark: ALTER … NO DEPENDS ON EXTENSION.',
  'names the schema':
    'it refers to this schema itself, and its clone would do so too. Use current_schema() instead.',
  other: 'objects of this kind are not cloned. Drop it, or keep it in a shared schema.',
} as const;

type Reason = keyof typeof REMEDIES;

/** Rows of classid, objid, objsubid, reason. */
const FINDINGS = `
  WITH ${OBJECTS},
  read_catalog AS MATERIALIZED (SELECT unnest(${READ_CATALOG_ARRAY}) AS oid),
  ${OWNED},
  found (classid, objid, objsubid, reason) AS (
    -- Relations
    SELECT 'pg_class'::regclass::oid, oid, 0, CASE relkind
        WHEN 'f' THEN 'foreign table' WHEN 'r' THEN NULL WHEN 'p' THEN NULL WHEN 'v' THEN NULL WHEN 'm' THEN NULL
        WHEN 'S' THEN NULL ELSE 'other' END
    FROM relation
    UNION ALL
    SELECT 'pg_class'::regclass, r.oid, 0, check_.reason
    FROM relation r CROSS JOIN LATERAL (VALUES
      (EXISTS (SELECT FROM pg_inherits JOIN pg_class p ON p.oid = inhparent
               WHERE inhrelid = r.oid AND p.relnamespace <> r.relnamespace), 'parent elsewhere'),
      (EXISTS (SELECT FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
               WHERE inhparent = r.oid AND c.relnamespace <> r.relnamespace), 'child elsewhere'),
      (EXISTS (SELECT FROM pg_inherits WHERE inhrelid = r.oid AND inhdetachpending), 'detach pending'),
      (r.reltablespace <> 0, 'tablespace'),
      (NOT pg_table_is_visible(r.oid), 'hidden')
    ) AS check_ (fails, reason) WHERE check_.fails
    UNION ALL
    -- Indexes
    SELECT 'pg_class'::regclass, i.indexrelid, 0, check_.reason
    FROM relation r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class c ON c.oid = i.indexrelid
    CROSS JOIN LATERAL (VALUES
      (NOT i.indisvalid AND c.relkind = 'i', 'invalid index'),
      (i.indisexclusion AND c.relkind = 'I', 'partitioned exclusion'),
      (c.reltablespace <> 0, 'tablespace'),
      (NOT pg_table_is_visible(c.oid), 'hidden')
    ) AS check_ (fails, reason) WHERE check_.fails
    -- Types and routines${TYPE_FINDINGS}
    UNION ALL
    -- Triggers
    SELECT 'pg_constraint'::regclass, tg.tgconstraint, 0, 'foreign key off'
    FROM relation r JOIN pg_trigger tg ON tg.tgrelid = r.oid WHERE tg.tgisinternal AND tg.tgenabled <> 'O'
    UNION ALL
    -- Statistics
    SELECT 'pg_statistic_ext'::regclass, s.oid, 0, 'statistics elsewhere'
    FROM relation r JOIN pg_statistic_ext s ON s.stxrelid = r.oid WHERE s.stxnamespace <> r.relnamespace
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, s.oid, 0, 'statistics elsewhere'
    FROM member m JOIN pg_statistic_ext s ON s.oid = m.objid JOIN pg_class c ON c.oid = s.stxrelid
    WHERE m.classid = 'pg_statistic_ext'::regclass AND s.stxnamespace <> c.relnamespace
    UNION ALL
    -- Publications
    SELECT o.classid, o.objid, 0, 'publication'
    FROM object o CROSS JOIN LATERAL (
      SELECT prpubid AS pubid, false AS whole FROM pg_publication_rel
      WHERE o.classid = 'pg_publication_rel'::regclass AND oid = o.objid
      UNION ALL
      SELECT pnpubid, true FROM pg_publication_namespace
      WHERE o.classid = 'pg_publication_namespace'::regclass AND oid = o.objid
    ) AS published JOIN pg_publication p ON p.oid = published.pubid
    WHERE NOT (CASE WHEN published.whole THEN current_setting('is_superuser')::boolean
                    ELSE pg_has_role(p.pubowner, 'USAGE') END)
    UNION ALL
    -- Owners and grants
    SELECT classid, objid, 0, 'owner' FROM owned
    WHERE owner <> current_user::regrole AND classid <> 'pg_namespace'::regclass AND objsubid = 0
    UNION ALL
    SELECT classid, objid, objsubid, 'granted by another'
    FROM owned WHERE EXISTS (SELECT FROM aclexplode(acl) WHERE grantor <> owner)
    UNION ALL
    SELECT 'pg_default_acl'::regclass, d.oid, 0, 'default privileges of another'
    FROM member m JOIN pg_default_acl d ON d.oid = m.objid
    WHERE m.classid = 'pg_default_acl'::regclass AND NOT pg_has_role(d.defaclrole, 'USAGE')
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
    WHERE classid = ANY ('{pg_attrdef,pg_constraint,pg_rewrite,pg_trigger,pg_policy}'::regclass[])
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
    WHERE d.classoid = 'pg_attrdef'::regclass OR d.classoid = 'pg_type'::regclass AND o.ownerid IS NOT NULL
          AND (SELECT typtype FROM pg_type WHERE oid = d.objoid) <> 'm'
  )`;

/** The objects of the schema that a clone would lack or get wrong, by name. */
export async function findUnsupported(executor: SqlExecutor, schema: CatalogSchema): Promise<Obstacle[]> {
  const found = await rows<{ object: string; reason: Reason }>(
    executor,
    // What belongs to an extension is reported once, as the extension.
    neededFor(
      schema.catalogs,
      `${FINDINGS}
     SELECT DISTINCT pg_describe_object(classid, objid, objsubid) AS object, reason FROM found
     WHERE reason IS NOT NULL AND NOT EXISTS (
       SELECT FROM pg_depend d WHERE d.classid = found.classid AND d.objid = found.objid
         AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
     ORDER BY object, reason`,
    ),
    [[schema.oid]],
  );
  return found.map(({ object, reason }) => ({ object, remedy: REMEDIES[reason] }));
}
