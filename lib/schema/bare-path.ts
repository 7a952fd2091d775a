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
 * Advice for an error inside a function that relies on its caller's search path to find objects. From version 17 on,
 * PostgreSQL builds indexes and refreshes materialized views with a search path of its own, so such a function fails
 * there. `undefined` for other errors.
 */
export function remedyForPath(error: unknown): string | undefined {
  const { code, where } = (error ?? {}) as Partial<DatabaseError>;
  if (code === undefined || !NOT_FOUND.has(code)) return undefined;
  const name = /(?:SQL|PL\/pgSQL) function "?([^"\s(]+)/.exec(where ?? '')?.[1];
  if (name === undefined) return undefined;
  return (
    `The function "${name}" finds the objects that it uses by its caller's search path, and that path is different here. ` +
    `Give the function a search path of its own (ALTER FUNCTION ${name} SET search_path = …), or qualify the names in its body.`
  );
}

export function leaningOnThePath(schemaName: string, error: unknown): SchemaNotCloneableError | undefined {
  const remedy = remedyForPath(error);
  if (remedy === undefined) return undefined;
  const { message } = error as DatabaseError;
  return new SchemaNotCloneableError(schemaName, [{ object: message, remedy }]);
}
