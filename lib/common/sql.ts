/** Runs one SQL text and returns its rows: a TypeORM `QueryRunner`, `EntityManager` or `DataSource`. */
export interface SqlExecutor {
  // TypeORM's own signature.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  query(sql: string, parameters?: any[]): Promise<any>;
}

/** Waits until no other transaction has the lock of this name; it is held until the end of this one. */
export async function lockUntilEnd(transaction: SqlExecutor, name: string): Promise<void> {
  await transaction.query(
    'SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1::text, 0))',
    [name],
  );
}

/** NAMEDATALEN - 1, in bytes. PostgreSQL cuts longer names silently, so two tenants could share one schema. */
export const MAX_IDENTIFIER_BYTES = 63;

/** `we"ird` becomes `"we""ird"`. Throws `RangeError` for a name PostgreSQL cannot hold: empty, NUL, over 63 bytes. */
export function quoteIdentifier(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > MAX_IDENTIFIER_BYTES || name.includes('\0')) {
    throw new RangeError(
      `"${name.slice(0, 80)}" cannot be a PostgreSQL name: it must have 1 to ${MAX_IDENTIFIER_BYTES} bytes and no NUL.`,
    );
  }
  return inRemedy(name);
}

/** The same for SQL that people are told to run: an error must not fail over a name that PostgreSQL could not hold. */
export function inRemedy(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string literal that means the same whatever `standard_conforming_strings` says. Throws `RangeError` for a NUL. */
export function quoteLiteral(text: string): string {
  if (text.includes('\0')) throw new RangeError('PostgreSQL text cannot hold a NUL character.');
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** PostgreSQL's code of an error, which TypeORM may have wrapped; `undefined` when it has none. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code, driverError } = (error ?? {}) as { code?: unknown; driverError?: { code?: unknown } };
  const state = driverError?.code ?? code;
  return typeof state === 'string' ? state : undefined;
}
