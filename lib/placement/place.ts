/** How a tenant's rows are kept apart: by a schema in a database that tenants share, or by a database of its own. */
export const ISOLATIONS = ['schema', 'database'] as const;

export type Isolation = (typeof ISOLATIONS)[number];

/** Where a tenant lives. What its schema is called there, and its database, its `schemaName` says. */
export interface Place {
  /** The name of a server: a key of the option `servers`, or `default` for the one that `database` names. */
  readonly server: string;
  readonly isolation: Isolation;
}

/** The server that the option `database` names. The registry is there, too. */
export const DEFAULT_SERVER = 'default';

export const DEFAULT_PLACE: Place = Object.freeze({ server: DEFAULT_SERVER, isolation: 'schema' });

/** Names of servers: 1 to 63 characters of `[a-z0-9_-]`, beginning with a letter. */
export function isServerName(name: unknown): name is string {
  return typeof name === 'string' && /^[a-z][a-z0-9_-]{0,62}$/.test(name);
}

/** A store that was written before there were places leaves it out. */
export function placeOf({ place }: { readonly place?: Place | null }): Place {
  return place ?? DEFAULT_PLACE;
}
