import { ifAny } from './catalogs-in-use';

/**
 * Rows of the common table expression `object`: what lies in the schema by itself. The multirange and the constructors
 * of a range type also lie in it, but they are parts of the range type, on which they depend internally.
 */
export const TYPE_MEMBERS = `
    SELECT m.schema, m.classid, m.objid, i.refclassid AS ownerclass, i.refobjid AS ownerid
    FROM member m LEFT JOIN pg_depend i
      ON i.classid = m.classid AND i.objid = m.objid AND i.deptype = 'i'
     AND i.refclassid = 'pg_type'::regclass AND m.classid IN ('pg_type'::regclass, 'pg_proc'::regclass)`;

/** Casts lie in no schema. Those from or to a type of the schema, or an array of one, count as the schema's. */
export const OWN_CASTS = `
    SELECT DISTINCT t.schema, d.deptype, c.*
    FROM own_type t CROSS JOIN LATERAL (VALUES (t.oid), (t.typarray)) AS of_type (oid)
    JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = of_type.oid AND d.classid = 'pg_cast'::regclass
    JOIN pg_cast c ON c.oid = d.objid`;

/** Rows of the common table expression `object`: the parts of types and of operator families, and the casts of types. */
export const TYPE_PARTS = [
  ifAny(
    'pg_type',
    `
    UNION ALL
    SELECT t.schema, 'pg_class'::regclass, c.typrelid, 'pg_type'::regclass, t.oid
    FROM own_type t JOIN pg_type c ON c.oid = t.oid WHERE t.relid IS NULL AND c.typrelid <> 0
    UNION ALL
    SELECT t.schema, 'pg_constraint'::regclass, con.oid, 'pg_type'::regclass, t.oid
    -- Through pg_depend: where no type is a domain, statistics say that all constraints have one type, and all are read.
    FROM own_type t JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = t.oid
      AND d.classid = 'pg_constraint'::regclass AND d.deptype = 'a'
    JOIN pg_constraint con ON con.oid = d.objid AND con.contypid = t.oid WHERE t.relid IS NULL`,
  ),
  ifAny(
    'pg_cast',
    `
    UNION ALL
    SELECT c.schema, 'pg_cast'::regclass, c.oid,
           CASE c.deptype WHEN 'i' THEN 'pg_type'::regclass END, CASE c.deptype WHEN 'i' THEN c.castsource END
    FROM own_cast c`,
  ),
  ifAny(
    'pg_opfamily',
    `
    UNION ALL
    SELECT m.schema, 'pg_amop'::regclass, e.oid, coalesce(d.refclassid, m.classid), coalesce(d.refobjid, m.objid)
    FROM member m JOIN pg_amop e ON e.amopfamily = m.objid LEFT JOIN pg_depend d
      ON d.classid = 'pg_amop'::regclass AND d.objid = e.oid AND d.refclassid = 'pg_opclass'::regclass
    WHERE m.classid = 'pg_opfamily'::regclass
    UNION ALL
    SELECT m.schema, 'pg_amproc'::regclass, e.oid, coalesce(d.refclassid, m.classid), coalesce(d.refobjid, m.objid)
    FROM member m JOIN pg_amproc e ON e.amprocfamily = m.objid LEFT JOIN pg_depend d
      ON d.classid = 'pg_amproc'::regclass AND d.objid = e.oid AND d.refclassid = 'pg_opclass'::regclass
    WHERE m.classid = 'pg_opfamily'::regclass`,
  ),
].join('');
