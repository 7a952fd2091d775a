/** Prefix of the column names of each catalog, and the function that tells whether the search path finds an object. */
const CATALOGS = {
  pg_proc: ['pro', 'pg_function_is_visible'],
  pg_opclass: ['opc', 'pg_opclass_is_visible'],
  pg_opfamily: ['opf', 'pg_opfamily_is_visible'],
  pg_ts_parser: ['prs', 'pg_ts_parser_is_visible'],
  pg_ts_template: ['tmpl', 'pg_ts_template_is_visible'],
} as const;

/**
 * SQL for the name of an object as a statement must write it, NULL for the oid 0: bare where the search path finds the
 * object, else qualified. It serves the catalogs for which `regclass` and its like do not do this. `regproc` qualifies
 * an overloaded function even when it is the schema's own.
 */
export function objectName(catalog: keyof typeof CATALOGS, oid: string): string {
  const [prefix, isVisible] = CATALOGS[catalog];
  return `(SELECT concat(CASE WHEN NOT ${isVisible}(named.oid) THEN named.${prefix}namespace::regnamespace || '.' END,
                         quote_ident(named.${prefix}name))
           FROM ${catalog} named WHERE named.oid = ${oid})`;
}

/** `OPERATOR(shared.+)`, the form of an operator in definitions; NULL for the oid 0. */
export function operatorName(oid: string): string {
  return `(SELECT format('OPERATOR(%s%s)', CASE WHEN NOT pg_operator_is_visible(named.oid)
                                                THEN named.oprnamespace::regnamespace || '.' END, named.oprname)
           FROM pg_operator named WHERE named.oid = ${oid})`;
}
