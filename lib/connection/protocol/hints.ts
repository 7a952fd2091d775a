import type { DatabaseError } from 'pg';

/** active_sql_transaction: VACUUM, CREATE INDEX CONCURRENTLY and others refuse to run in a transaction. */
export const REFUSES_TRANSACTION = '25001';

export const EXTENSION_HINT =
  'If an extension makes it, install that into a schema of its own that is listed in sharedSchemas.';

const HINTS: Readonly<Record<string, string>> = {
  [REFUSES_TRANSACTION]:
    'A tenant’s statement runs in one transaction with the settings that carry its tenant. Run this one as the system, ' +
    'naming the schema: context.runAsSystem(() => dataSource.query(`VACUUM "${tenant.schemaName}".orders`)).',
  // undefined_function, undefined_object: operator classes and collations too.
  '42883': EXTENSION_HINT,
  '42704': EXTENSION_HINT,
};

/** invalid_parameter_value, insufficient_privilege: the role does not exist, or the login role may not take it. */
const ROLE_CODES: readonly unknown[] = ['22023', '42501'];
const ROLE_HINT =
  'The tenant’s role is missing, or not the login role’s to take. Was the tenant made by an application without ' +
  'roles: true? Then the next start with it makes the role, and so does TenantSweeper.sweep(). If its schema is missing as ' +
  'well, bring both back from a backup, or delete and purge the tenant.';

/**
 * Explains in the error's `hint`, and for 25001 in its message, why the error comes from tenancy. `role`: the tenant's
 * own.
 */
export function addHint(error: DatabaseError, role?: string): void {
  const hint = hintFor(error, role);
  if (hint === undefined) return;
  error.hint = error.hint === undefined ? hint : `${error.hint} ${hint}`;
  if (error.code === REFUSES_TRANSACTION) error.message += `. ${hint}`;
}

function hintFor({ code, message }: DatabaseError, role: string | undefined): string | undefined {
  // The quoted name is the same in every language that PostgreSQL speaks.
  if (role !== undefined && ROLE_CODES.includes(code) && message.includes(`"${role}"`)) return ROLE_HINT;
  return HINTS[code ?? ''];
}
