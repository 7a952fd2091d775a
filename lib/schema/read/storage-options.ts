/**
 * SQL for the storage parameters of `column` as they stand in `WITH (…)`: `fillfactor='70', …`, or NULL. A fixed
 * order, because PostgreSQL keeps the order in which they were set.
 */
export function storageOptions(column: string, prefix = ''): string {
  return `(SELECT string_agg(format('${prefix}%I=%L', option_name, option_value), ', ' ORDER BY option_name)
           FROM pg_options_to_table(${column}))`;
}
