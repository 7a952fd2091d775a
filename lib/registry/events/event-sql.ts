/** SQL: a UUID of version 7 with the time `at`. */
export function uuidV7Sql(at: string): string {
  const milliseconds = `pg_catalog.lpad(pg_catalog.to_hex((pg_catalog.date_part('epoch', ${at}) * 1000)::bigint), 12, '0')`;
  const random = `pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', '')`;
  return `(${milliseconds} || '7' || pg_catalog.substr(${random}, 14))::uuid`;
}

/**
 * SQL that records an event for each row of `rows`, by code that named nobody. `subject` and `data` are expressions over it, and
 * `tenantId` is; `schema` is the registry's, quoted. For what is changed by one statement: as a part of that it is in its transaction.
 */
export function recordEventsSql(
  schema: string,
  rows: string,
  { tenantId, type, subject, data }: Readonly<Record<'tenantId' | 'type' | 'subject' | 'data', string>>,
): string {
  return `
    INSERT INTO ${schema}.tenant_event_outbox (id, tenant_id, type, actor_type, subject, data)
    SELECT ${uuidV7Sql('pg_catalog.clock_timestamp()')}, ${tenantId}, '${type}', 'system', ${subject}, ${data} FROM ${rows}`;
}
