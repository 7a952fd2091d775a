const ROWS = 'tenancy_notify_rows';
const TRUNCATION = 'tenancy_notify_truncation';

/** The names of the two triggers. */
export const NOTIFY_TRIGGERS = [ROWS, TRUNCATION];

/** SQL that makes a change of a table's rows a change of their tenant, whose id is in `column`. `schema` is quoted. */
export function notifyTriggers(schema: string, table: string, column: string): string[] {
  const execute = `EXECUTE FUNCTION ${schema}.notify_tenant_change('${column}')`;
  return [
    `CREATE TRIGGER ${ROWS} AFTER INSERT OR UPDATE OR DELETE ON ${schema}.${table} FOR EACH ROW ${execute}`,
    `CREATE TRIGGER ${TRUNCATION} AFTER TRUNCATE ON ${schema}.${table} FOR EACH STATEMENT ${execute}`,
    // ALWAYS, because rows that logical replication or a restore writes are changes too.
    ...NOTIFY_TRIGGERS.map((name) => `ALTER TABLE ${schema}.${table} ENABLE ALWAYS TRIGGER ${name}`),
  ];
}
