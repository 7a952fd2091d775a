/** `WHEN … THEN name FROM catalog` for objects that COMMENT ON calls `KIND name`. */
function byName(catalog: string, kind: string, column: string): string {
  return `WHEN '${catalog}'::regclass THEN (SELECT format('${kind} %I', ${column}) FROM ${catalog} WHERE oid = d.objoid)`;
}

/**
 * Branches of `CASE d.classoid` that return what COMMENT ON must name: types, routines, and objects that belong to
 * types.
 */
export const TYPE_COMMENT_TARGETS = `
       WHEN 'pg_type'::regclass THEN (SELECT format('TYPE %I', typname) FROM pg_type WHERE oid = d.objoid)
       WHEN 'pg_proc'::regclass THEN (
         SELECT format('%s %I(%s)', CASE prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END,
                       proname, CASE WHEN prokind = 'a' AND pronargs = 0 THEN '*'
                                     ELSE pg_get_function_identity_arguments(oid) END)
         FROM pg_proc WHERE oid = d.objoid)
       WHEN 'pg_operator'::regclass THEN (
         SELECT format('OPERATOR %s (%s, %s)', oprname, coalesce(format_type(nullif(oprleft, 0), NULL), 'NONE'),
                       format_type(oprright, NULL))
         FROM pg_operator WHERE oid = d.objoid)
       WHEN 'pg_opclass'::regclass THEN (
         SELECT format('OPERATOR CLASS %I USING %I', c.opcname, am.amname)
         FROM pg_opclass c JOIN pg_am am ON am.oid = c.opcmethod WHERE c.oid = d.objoid)
       WHEN 'pg_opfamily'::regclass THEN (
         SELECT format('OPERATOR FAMILY %I USING %I', f.opfname, am.amname)
         FROM pg_opfamily f JOIN pg_am am ON am.oid = f.opfmethod WHERE f.oid = d.objoid)
       WHEN 'pg_cast'::regclass THEN (
         SELECT format('CAST (%s AS %s)', format_type(castsource, NULL), format_type(casttarget, NULL))
         FROM pg_cast WHERE oid = d.objoid)
       ${byName('pg_collation', 'COLLATION', 'collname')}
       ${byName('pg_conversion', 'CONVERSION', 'conname')}
       ${byName('pg_ts_parser', 'TEXT SEARCH PARSER', 'prsname')}
       ${byName('pg_ts_template', 'TEXT SEARCH TEMPLATE', 'tmplname')}
       ${byName('pg_ts_dict', 'TEXT SEARCH DICTIONARY', 'dictname')}
       ${byName('pg_ts_config', 'TEXT SEARCH CONFIGURATION', 'cfgname')}`;
