import type { SqlExecutor } from '../common/sql';
import { type CatalogSchema, rows } from './catalog';
import { FIRST_OWN_OID, ifAny, neededFor, OTHER_KINDS } from './catalogs-in-use';
import { OBJECTS } from './objects';
import { OWNED } from './owned';
import { propertiesWithoutOwnName } from './own-name';
import { SECURITY_LINES } from './structure-security';
import { indexDefinition, ofColumn, ofRelation, sortedParameters } from './storage-parameters';
import { collationOf, comment, either, forPeople, methodOf, rowOf, sorted, typeOf } from './structure-sql';
import { TYPE_LINES } from './structure-types';

/** One object with all its known properties. */
export interface StructureLine {
  /** Kind and name: `column orders.id`. */
  readonly object: string;
  /** JSON text. */
  readonly properties: string;
}

/** The oids of PostgreSQL's access methods. */
const [BTREE, HASH] = [403, 405];

/**
 * Foreign keys that refer to one table fire in the order of their creation. This decides whether one key refuses a
 * DELETE that another cascades. The order only matters where at least one of them has an action.
 */
const ACTS = (action: string) => `bool_or(con.${action} NOT IN ('a', 'r'))`;
const inOrder = (type: number, action: string) => `CASE WHEN ${ACTS(action)} THEN
    array_agg(CASE WHEN parent.conrelid = con.conrelid THEN format('a part of that on %s', con.conrelid::regclass)
                   ELSE format('%I on %s', con.conname, con.conrelid::regclass) END ORDER BY tg.tgname)
      FILTER (WHERE tg.tgtype = ${type}) END`;
const FIRING_ORDER = `
  SELECT format('order of the foreign keys on %I', r.relname),
         jsonb_build_object('effect on DELETE', ${inOrder(9, 'confdeltype')},
                            'effect on UPDATE', ${inOrder(17, 'confupdtype')})::text
  FROM relation r JOIN pg_trigger tg ON tg.tgrelid = r.oid JOIN pg_constraint con ON con.oid = tg.tgconstraint
  LEFT JOIN pg_constraint parent ON parent.oid = con.conparentid
  WHERE tg.tgisinternal AND con.contype = 'f' AND tg.tgname >= 'RI_ConstraintTrigger_a_' AND tg.tgname < 'RI_ConstraintTrigger_b'
  GROUP BY r.oid, r.relname
  HAVING count(DISTINCT con.oid) > 1 AND (${ACTS('confdeltype')} OR ${ACTS('confupdtype')})`;

/** For hashing: the names of the columns of `r` by number. A subquery for each index or constraint would be slower. */
const COLUMN_NAMES = either(
  '',
  `CROSS JOIN LATERAL (
    SELECT array_agg(attname ORDER BY attnum) AS names FROM pg_attribute
    WHERE attrelid = r.oid AND attnum > 0 AND r.relkind IN ('r', 'p', 'm', 'f')) columns`,
);

/**
 * The parts of an index whose classes and collations are PostgreSQL's own, with the same oids everywhere. Indexes of
 * the kinds B-tree and hash have no parameters for a column.
 */
const INDEX_PARTS = `CASE WHEN c.relam IN (${BTREE}, ${HASH}) AND c.reloptions IS NULL
    AND ${FIRST_OWN_OID} > ALL (i.indclass::oid[]) AND ${FIRST_OWN_OID} > ALL (i.indcollation::oid[])
  THEN ROW(r.relname, c.relam, ARRAY(SELECT columns.names[number] FROM unnest(i.indkey) AS number), i.indclass, i.indcollation,
           i.indoption, pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid))::text
  ELSE ${indexDefinition('c')} END`;

/** The index of a primary key or unique constraint has the constraint's name and a line of its own. */
const CONSTRAINT_PARTS = `CASE WHEN con.contype = 'n' THEN columns.names[con.conkey[1]]::text
  WHEN con.contype NOT IN ('p', 'u') THEN pg_get_constraintdef(con.oid) END`;

/**
 * The structure of a schema, read independently of the DDL in a blueprint: catalog rows with all columns that are not
 * history (see `catalog-columns.ts`). So a property that a blueprint forgets shows as a difference.
 */
export const STRUCTURE = `
  WITH ${OBJECTS}, ${OWNED},
  any_relation AS MATERIALIZED (
    SELECT r.oid AS relid, false AS has_expressions FROM relation r
    UNION ALL
    SELECT i.indexrelid, i.indexprs IS NOT NULL FROM relation r JOIN pg_index i ON i.indrelid = r.oid
  )
  SELECT concat_ws(' ', 'relation', quote_ident(c.relname)) AS object,
         (${rowOf('c', 'pg_class')} || jsonb_build_object(
           'access method', ${methodOf('c.relam')},
           'tablespace', CASE WHEN c.reltablespace <> 0 THEN (SELECT spcname FROM pg_tablespace WHERE oid = c.reltablespace) END,
           'row type', format_type(nullif(c.reloftype, 0), NULL),
           'options', ${sortedParameters(ofRelation('c'))},
           'toast options', CASE WHEN c.reltoastrelid <> 0 THEN (
             SELECT ${sortedParameters(ofRelation('toast'))} FROM pg_class toast WHERE toast.oid = c.reltoastrelid) END,
           'parents', CASE WHEN c.relispartition OR c.relkind IN ('r', 'f') THEN (
             SELECT array_agg(inhparent::regclass || CASE WHEN inhdetachpending THEN ' (detach pending)' ELSE '' END
                              ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid) END,
           'partition of', pg_get_expr(c.relpartbound, c.oid),
           'partition by', CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END,
           'view', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
           'statistics', CASE WHEN a.has_expressions THEN (
             SELECT jsonb_object_agg(attnum, attstattarget) FROM pg_attribute
             WHERE attrelid = c.oid AND attstattarget >= 0) END,
           'comment', ${comment('pg_class', 'c.oid')}))::text AS properties
  FROM any_relation a JOIN pg_class c ON c.oid = a.relid
  UNION ALL
  SELECT format('column %I.%I', r.relname, a.attname),
         (${rowOf('a', 'pg_attribute')} || jsonb_build_object(
           'place', row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
           'type', ${typeOf('a.atttypid', 'a.atttypmod')},
           'collation', ${collationOf('a.attcollation')},
           'default', pg_get_expr(d.adbin, d.adrelid),
           'statistics', nullif(a.attstattarget, -1),
           'options', ${sortedParameters(ofColumn('a'))},
           'comment', ${comment('pg_class', 'a.attrelid', 'a.attnum')}))::text
  FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE r.relkind <> 'S'
  UNION ALL
  SELECT ${either(`format('index %s', i.indexrelid::regclass)`, `concat('index ', quote_ident(c.relname))`)},
         (${rowOf('i', 'pg_index')} || jsonb_build_object('definition', ${either(indexDefinition('c'), INDEX_PARTS)}))::text
  FROM relation r ${COLUMN_NAMES} JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class c ON c.oid = i.indexrelid
  UNION ALL
  SELECT CASE WHEN parent.conrelid = con.conrelid
              THEN format('foreign key on %I to partition %s', r.relname, con.confrelid::regclass)
              ELSE format('constraint %I on %I', con.conname, r.relname) END,
         (${rowOf('con', 'pg_constraint')} || jsonb_build_object(
           -- PostgreSQL makes names up for a foreign key's reach into each partition, by the order of creation.
           'name', CASE WHEN parent.conrelid = con.conrelid THEN NULL ELSE con.conname END,
           -- Means nothing but for checks, and tells only whether a part was attached or made by the partitioned table.
           'no inherit', CASE WHEN con.contype IN ('c', 'n') THEN con.connoinherit END,
           'definition', ${either('pg_get_constraintdef(con.oid)', CONSTRAINT_PARTS)},
           'part of', CASE WHEN parent.conrelid <> con.conrelid
                           THEN format('%I on %s', parent.conname, parent.conrelid::regclass) END,
           'comment', ${comment('pg_constraint', 'con.oid')}))::text
  FROM relation r ${COLUMN_NAMES} JOIN pg_constraint con ON con.conrelid = r.oid
  LEFT JOIN pg_constraint parent ON parent.oid = con.conparentid
  ${ifAny(
    'pg_trigger',
    `UNION ALL
  SELECT format('trigger %I on %I', tg.tgname, r.relname),
         (${rowOf('tg', 'pg_trigger')} || jsonb_build_object(
           'definition', pg_get_triggerdef(tg.oid, true),
           'part of', (SELECT parent.tgrelid::regclass::text FROM pg_trigger parent WHERE parent.oid = tg.tgparentid),
           'comment', ${comment('pg_trigger', 'tg.oid')}))::text
  FROM relation r JOIN pg_trigger tg ON tg.tgrelid = r.oid
  WHERE NOT tg.tgisinternal
  UNION ALL
  SELECT format('checks of foreign key %I on %I', con.conname, r.relname),
         jsonb_build_object('function', tg.tgfoid::regproc::text, 'state', tg.tgenabled)::text
  FROM relation r JOIN pg_trigger tg ON tg.tgrelid = r.oid JOIN pg_constraint con ON con.oid = tg.tgconstraint
  WHERE tg.tgisinternal AND tg.tgenabled <> 'O'
  UNION ALL
  ${FIRING_ORDER}`,
  )}
  ${ifAny(
    'pg_rewrite',
    `UNION ALL
  SELECT format('rule %I on %I', w.rulename, r.relname),
         jsonb_build_object('definition', pg_get_ruledef(w.oid, true), 'state', w.ev_enabled,
                            'comment', ${comment('pg_rewrite', 'w.oid')})::text
  FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid
  WHERE w.rulename <> '_RETURN' OR w.ev_enabled <> 'O' OR ${comment('pg_rewrite', 'w.oid')} IS NOT NULL`,
  )}
  ${ifAny(
    'pg_statistic_ext',
    `UNION ALL
  SELECT format('statistics %I on %I', s.stxname, r.relname),
         jsonb_build_object(
           'schema', s.stxnamespace = r.relnamespace, 'columns', pg_get_statisticsobjdef_columns(s.oid),
           'kinds', ${sorted('s.stxkind::text[]')}, 'target', nullif(s.stxstattarget, -1),
           'comment', ${comment('pg_statistic_ext', 's.oid')})::text
  FROM relation r JOIN pg_statistic_ext s ON s.stxrelid = r.oid`,
  )}
  ${ifAny(
    'pg_sequence',
    `UNION ALL
  SELECT format('sequence %I', r.relname),
         (${rowOf('s', 'pg_sequence')} || jsonb_build_object(
           'type', format_type(s.seqtypid, NULL),
           'owner', (SELECT format('%s.%I %s', d.refobjid::regclass, a.attname, d.deptype)
                     FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                     WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype IN ('a', 'i')
                       AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0)))::text
  FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid`,
  )}
  ${ifAny(
    'pg_type',
    `UNION ALL
  SELECT format('type %I', t.typname),
         (${rowOf('t', 'pg_type')} || jsonb_build_object(
           'base', format_type(nullif(t.typbasetype, 0), t.typtypmod),
           'collation', nullif(t.typcollation, 0)::regcollation::text,
           'default', coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault),
           'labels', (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
           'comment', ${comment('pg_type', 't.oid')}))::text
  FROM member m JOIN pg_type t ON t.oid = m.objid WHERE m.classid = 'pg_type'::regclass`,
  )}
  ${ifAny(
    'pg_proc',
    `UNION ALL
  SELECT format('function %I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
         (${rowOf('p', 'pg_proc')} || jsonb_build_object(
           'arguments', pg_get_function_arguments(p.oid),
           'result', pg_get_function_result(p.oid),
           'language', (SELECT lanname FROM pg_language WHERE oid = p.prolang),
           'support', p.prosupport::text,
           'transforms', p.protrftypes::regtype[]::text,
           'standard body', pg_get_function_sqlbody(p.oid),
           'comment', ${comment('pg_proc', 'p.oid')}))::text
  FROM member m JOIN pg_proc p ON p.oid = m.objid WHERE m.classid = 'pg_proc'::regclass`,
  )}
  ${TYPE_LINES}
  UNION ALL
  ${SECURITY_LINES}
  ${ifAny(
    'pg_depend',
    `UNION ALL
  SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0), '{}'
  FROM (${OTHER_KINDS}) AS other
  CROSS JOIN LATERAL (SELECT * FROM pg_depend WHERE classid = other.classid AND objid >= ${FIRST_OWN_OID} OFFSET 0) d
  WHERE d.deptype NOT IN ('e', 'x') AND ((d.refclassid, d.refobjid) IN (
    SELECT classid, objid FROM object UNION ALL SELECT 'pg_namespace'::regclass, unnest($1::oid[]))) IS TRUE`,
  )}`;

/**
 * The lines in no particular order, with `OWN_SCHEMA` in the place of the schema's name. The search path is already the
 * schema's.
 */
export async function readStructure(executor: SqlExecutor, schema: CatalogSchema): Promise<StructureLine[]> {
  const lines = await rows<StructureLine>(executor, neededFor(schema.catalogs, forPeople(STRUCTURE)), [
    [schema.oid],
  ]);
  return lines.map(({ object, properties }) => ({
    object,
    properties: propertiesWithoutOwnName(properties, schema.name),
  }));
}
