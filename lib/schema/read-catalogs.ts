/** The catalogs of operators, casts, collations and all else that gives types their meaning. */
export const TYPE_CATALOGS = [
  'pg_collation',
  'pg_conversion',
  'pg_operator',
  'pg_opclass',
  'pg_opfamily',
  'pg_amop',
  'pg_amproc',
  'pg_cast',
  'pg_ts_parser',
  'pg_ts_template',
  'pg_ts_dict',
  'pg_ts_config',
] as const;

/** The catalogs whose objects are read one by one. An object of any other catalog cannot be cloned. */
export const READ_CATALOGS = [
  'pg_class',
  'pg_type',
  'pg_proc',
  'pg_attrdef',
  'pg_constraint',
  'pg_rewrite',
  'pg_trigger',
  'pg_policy',
  'pg_statistic_ext',
  'pg_publication_rel',
  'pg_publication_namespace',
  'pg_default_acl',
  ...TYPE_CATALOGS,
] as const;

/** SQL: an array of those. */
export const READ_CATALOG_ARRAY = `ARRAY[${READ_CATALOGS.map((catalog) => `'${catalog}'`).join(', ')}]::regclass[]`;
