/**
 * SQL for the storage parameters of `column` as they stand in `WITH (…)`: `fillfactor='70', …`, or NULL. In the order in
 * which they were set, which PostgreSQL keeps and pg_dump shows.
 */
export function storageOptions(column: string, prefix = ''): string {
  return `(SELECT string_agg(format('${prefix}%I=%L', option_name, option_value), ', ' ORDER BY place)
           FROM pg_options_to_table(${column}) WITH ORDINALITY AS option (option_name, option_value, place))`;
}
