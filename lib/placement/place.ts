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

/** A database in which work is done. */
export interface Site {
  /** A key of the option `servers`, or `default`. */
  readonly server: string;
  /** The name of one of the server's databases. Default the one that the server's URL leads to. */
  readonly database?: string;
}

/** The database in which a tenant's schema is. One of its own is called what the schema is called. */
export function siteOf(tenant: { readonly place?: Place | null; readonly schemaName: string }): Site {
  const { server, isolation } = placeOf(tenant);
  return isolation === 'database' ? { server, database: tenant.schemaName } : { server };
}

export function isSamePlace(one: Place, other: Place): boolean {
  return one.server === other.server && one.isolation === other.isolation;
}

/** Whether the tenant's schema is in the database that has the registry: one transaction then reaches both. */
export function isBesideRegistry(tenant: { readonly place?: Place | null }): boolean {
  const { server, isolation } = placeOf(tenant);
  return server === DEFAULT_SERVER && isolation === 'schema';
}

/** A store that was written before there were places leaves it out. */
export function placeOf({ place }: { readonly place?: Place | null }): Place {
  return place ?? DEFAULT_PLACE;
}
