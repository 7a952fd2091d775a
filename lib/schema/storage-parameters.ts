/**
 * The storage parameters that a user can set, PostgreSQL 15 to 18. In the same columns the server keeps notes of its
 * own: since the minor releases of November 2026 `pg_attver` for each column. A parameter that is not listed is left
 * out of structures and clones and reported at the start: see `findUnknownObjects`.
 */
const OF_RELATIONS = `
  fillfactor toast_tuple_target parallel_workers user_catalog_table vacuum_index_cleanup vacuum_truncate
  vacuum_max_eager_freeze_failure_rate log_autovacuum_min_duration autovacuum_enabled
  autovacuum_vacuum_threshold autovacuum_vacuum_max_threshold autovacuum_vacuum_scale_factor
  autovacuum_vacuum_insert_threshold autovacuum_vacuum_insert_scale_factor
  autovacuum_analyze_threshold autovacuum_analyze_scale_factor
  autovacuum_vacuum_cost_delay autovacuum_vacuum_cost_limit
  autovacuum_freeze_min_age autovacuum_freeze_max_age autovacuum_freeze_table_age
  autovacuum_multixact_freeze_min_age autovacuum_multixact_freeze_max_age autovacuum_multixact_freeze_table_age
  security_barrier security_invoker check_option
  deduplicate_items vacuum_cleanup_index_scale_factor buffering fastupdate gin_pending_list_limit pages_per_range
  autosummarize`;

const OF_COLUMNS = 'n_distinct n_distinct_inherited';

/** Notes of the server itself, which are not reported. */
const NOTES_OF_THE_SERVER = 'pg_attver';

/** SQL of the storage parameters in a row of `pg_class` or `pg_attribute`. */
interface StorageParameters {
  readonly column: string;
  /** SQL that tells whether the parameter `name` belongs to the structure. */
  readonly isKnown: (name: string) => string;
}

/**
 * Those of a row of `pg_class`. An access method from an extension has parameters that only it knows, so all of them
 * count.
 */
export function ofRelation(alias: string): StorageParameters {
  const isKnown = (name: string) => `(${name} = ANY (${arrayOf(OF_RELATIONS)}) OR ${alias}.relam >= 16384)`;
  return { column: `${alias}.reloptions`, isKnown };
}

/** Those of a row of `pg_attribute`. */
export function ofColumn(alias: string): StorageParameters {
  const isKnown = (name: string) => `${name} = ANY (${arrayOf(OF_COLUMNS)})`;
  return { column: `${alias}.attoptions`, isKnown };
}

/**
 * SQL of the parameters as `WITH (…)` takes them: `fillfactor='70', …`, or NULL. They stand in the order in which they
 * were set, which PostgreSQL keeps and pg_dump shows.
 */
export function parameterList({ column, isKnown }: StorageParameters, prefix = ''): string {
  return `(SELECT string_agg(format('${prefix}%I=%L', option_name, option_value), ', ' ORDER BY place)
           FROM pg_options_to_table(${column}) WITH ORDINALITY AS option (option_name, option_value, place)
           WHERE ${isKnown('option_name')})`;
}

/** SQL of the parameters as PostgreSQL stores them, sorted by name; NULL when there are none. */
export function sortedParameters({ column, isKnown }: StorageParameters): string {
  return `(SELECT array_agg(element ORDER BY element COLLATE "C") FROM unnest(${column}) AS element
           WHERE ${isKnown(`split_part(element, '=', 1)`)})`;
}

/** SQL of an array, perhaps empty, with the names of the parameters that are neither known nor the server's notes. */
export function unknownParameters({ column, isKnown }: StorageParameters): string {
  return `ARRAY(SELECT split_part(element, '=', 1) FROM unnest(${column}) AS element
                WHERE NOT ${isKnown(`split_part(element, '=', 1)`)}
                  AND split_part(element, '=', 1) <> ALL (${arrayOf(NOTES_OF_THE_SERVER)}))`;
}

/**
 * SQL of the definition of the index in a row of `pg_class`. It is printed in the pretty form, because the plain one
 * always qualifies the table. PostgreSQL prints all parameters, so unknown ones are removed from the text.
 */
export function indexDefinition(alias: string): string {
  const definition = `pg_get_indexdef(${alias}.oid, 0, true)`;
  const { column, isKnown } = ofRelation(alias);
  const clause = (condition: string) =>
    `(SELECT ' WITH (' || string_agg(format('%s=%s', option_name, CASE
         WHEN quote_ident(option_value) = option_value THEN option_value ELSE quote_literal(option_value) END), ', ') || ')'
       FROM pg_options_to_table(${column}) WHERE ${condition})`;
  return `CASE WHEN ${column} IS NULL THEN ${definition}
     ELSE replace(${definition}, ${clause('true')}, coalesce(${clause(isKnown('option_name'))}, '')) END`;
}

function arrayOf(names: string): string {
  return `'{${names.trim().split(/\s+/).join(',')}}'::text[]`;
}
