import { READ_CATALOG_ARRAY } from './read-catalogs';

/** The catalogs in which most schemas have no rows. */
export type RareCatalog =
  | 'pg_type'
  | 'pg_proc'
  | 'pg_rewrite'
  | 'pg_trigger'
  | 'pg_sequence'
  | 'pg_policy'
  | 'pg_statistic_ext'
  | 'pg_publication_rel'
  | 'pg_publication_namespace'
  | 'pg_default_acl'
  | 'pg_cast'
  | 'pg_operator'
  | 'pg_opclass'
  | 'pg_opfamily'
  | 'pg_collation'
  | 'pg_conversion'
  | 'pg_ts_parser'
  | 'pg_ts_template'
  | 'pg_ts_dict'
  | 'pg_ts_config'
  | 'pg_description'
  /** Objects that depend on others and are of none of the kinds that are read. */
  | 'pg_depend';

/**
 * Marks a part of a query that finds nothing for schemas without objects in that catalog: see `neededFor`. Parts of one
 * catalog must not be nested.
 */
export function ifAny(catalog: RareCatalog, sql: string): string {
  return `/*${catalog}<*/${sql}/*>${catalog}*/`;
}

/**
 * The query without the parts that would find nothing. PostgreSQL would have to plan and prepare them first: for a
 * usual schema that is four fifths of the time.
 */
export function neededFor(catalogs: ReadonlySet<string>, sql: string): string {
  return sql.replaceAll(/\/\*(\w+)<\*\/([^]*?)\/\*>\1\*\//g, (_whole, catalog: string, part: string) =>
    catalogs.has(catalog) ? neededFor(catalogs, part) : '',
  );
}

/** The first oid that is not one of PostgreSQL's own objects. */
export const FIRST_OWN_OID = 16384;

/** SQL: the catalogs that hold objects of other kinds. They are few, and the index of dependencies begins with them. */
export const OTHER_KINDS = `
    WITH RECURSIVE kind (classid) AS (
      (SELECT classid FROM pg_depend ORDER BY classid LIMIT 1)
      UNION ALL
      SELECT (SELECT d.classid FROM pg_depend d WHERE d.classid > kind.classid ORDER BY d.classid LIMIT 1)
      FROM kind WHERE kind.classid IS NOT NULL
    )
    SELECT classid FROM kind
    WHERE classid <> ALL (${READ_CATALOG_ARRAY})
      AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = kind.classid AND d.objid >= ${FIRST_OWN_OID})`;

/** SQL: an array of the catalogs in which the schemas have objects. It may name others too, which only costs time. */
export function catalogsInUse(schemaOids: string): string {
  const user = `oid >= ${FIRST_OWN_OID}`;
  const known: Readonly<Partial<Record<RareCatalog, string>>> = {
    pg_trigger: 'SELECT FROM relation WHERE relhastriggers',
    pg_rewrite: 'SELECT FROM relation WHERE relhasrules',
    pg_sequence: "SELECT FROM relation WHERE relkind = 'S'",
    pg_cast: `SELECT FROM pg_cast WHERE ${user}`,
    // The statistics objects of a table may lie in another schema.
    pg_statistic_ext: 'SELECT FROM pg_statistic_ext',
    pg_policy: 'SELECT FROM pg_policy',
    pg_publication_rel: 'SELECT FROM pg_publication_rel',
    // Tenants' schemas and extensions have comments too.
    pg_description: `SELECT FROM pg_description
      WHERE ${user.replace('oid', 'objoid')} AND classoid <> ALL ('{pg_namespace,pg_extension}'::regclass[])`,
    pg_depend: `SELECT FROM (${OTHER_KINDS}) AS other`,
  };
  return `ARRAY(
    WITH member AS MATERIALIZED (
      SELECT classid, objid FROM pg_depend
      WHERE refclassid = 'pg_namespace'::regclass AND refobjid = ANY (${schemaOids}) AND refobjsubid = 0
    ),
    relation AS MATERIALIZED (
      SELECT c.relkind, c.relhastriggers, c.relhasrules FROM member m JOIN pg_class c ON c.oid = m.objid
      WHERE m.classid = 'pg_class'::regclass
    )
    SELECT DISTINCT classid::regclass::text FROM member
    ${Object.entries(known)
      .map(([catalog, found]) => `UNION ALL SELECT '${catalog}' WHERE EXISTS (${found})`)
      .join('\n    ')}
  )`;
}
