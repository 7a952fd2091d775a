import type { DatabaseError } from 'pg';

/** active_sql_transaction: VACUUM, CREATE INDEX CONCURRENTLY and others refuse to run beside settings. */
export const REFUSES_TRANSACTION = '25001';

const HINTS: Readonly<Record<string, string>> = {
  [REFUSES_TRANSACTION]:
    'A tenant’s statement runs in one transaction with the settings that carry its tenant. Run this one as the system, ' +
    'naming the schema: context.runAsSystem(() => dataSource.query(`VACUUM "${tenant.schemaName}".orders`)).',
  // undefined_function, undefined_object: operator classes and collations too.
  '42883': 'If an extension makes it, install that into a schema of its own that is listed in sharedSchemas.',
  '42704': 'If an extension makes it, install that into a schema of its own that is listed in sharedSchemas.',
};

/** Says in the error's `hint`, and for 25001 in its message, what tenancy has to do with it. */
export function addHint(error: DatabaseError): void {
  const hint = HINTS[error.code ?? ''];
  if (hint === undefined) return;
  error.hint = error.hint === undefined ? hint : `${error.hint} ${hint}`;
  if (error.code === REFUSES_TRANSACTION) error.message += `. ${hint}`;
}
