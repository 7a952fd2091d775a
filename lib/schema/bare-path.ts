import { SchemaNotCloneableError } from './schema.errors';

/** SQLSTATE: no such function, table, type or operator. */
const NOT_FOUND = new Set(['42883', '42P01', '42704']);

interface DatabaseError {
  readonly message: string;
  readonly code: string;
  /** PostgreSQL's CONTEXT. */
  readonly where: string;
}

/**
 * What to do about an error inside a function that finds its own objects by the caller's path. PostgreSQL from 17 on
 * builds indexes and refreshes materialized views with none but its own schema there. `undefined` for other errors.
 */
export function remedyForPath(error: unknown): string | undefined {
  const { code, where } = (error ?? {}) as Partial<DatabaseError>;
  if (code === undefined || !NOT_FOUND.has(code)) return undefined;
  const name = /(?:SQL|PL\/pgSQL) function "?([^"\s(]+)/.exec(where ?? '')?.[1];
  if (name === undefined) return undefined;
  return (
    `The function "${name}" finds what it calls by the search path of its caller, which is another one here. ` +
    `Give it one of its own (ALTER FUNCTION ${name} SET search_path = …), or qualify the calls in its body.`
  );
}

export function leaningOnThePath(schemaName: string, error: unknown): SchemaNotCloneableError | undefined {
  const remedy = remedyForPath(error);
  if (remedy === undefined) return undefined;
  const { message } = error as DatabaseError;
  return new SchemaNotCloneableError(schemaName, [{ object: message, remedy }]);
}
