/**
 * Whether a search_path, as PostgreSQL writes it, names no schema. `ALTER ROLE … SET search_path = ''` gives sessions
 * the path `""`: one schema of no name, and there can be none.
 */
export function isEmptyPath(path: unknown): boolean {
  return path === '' || path === '""';
}
