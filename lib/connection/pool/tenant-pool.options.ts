import type { PoolConfig } from 'pg';
import type { Clock } from '../../common/clock';
import type { TenantContext } from '../../context/tenant-context';
import type { Place } from '../../placement/place';
import type { Tenant } from '../../registry/tenant';
import type { CheckedServer } from '../protocol/session-probe';
import type { TenantTimeoutsOption } from './tenant-timeouts';

/** What the pool asks of `PlaceLookup`. */
export interface PlacesOfTenants {
  /** `undefined` when it must be asked for, or waited for. */
  current(tenant: Tenant): Place | undefined;
  settle(tenant: Tenant, waitMs: number): Promise<Place>;
  /** Whether it does not live in that place any more, or is about to leave it. */
  hasLeft(tenant: Tenant, place: Place): Promise<boolean>;
}

/**
 * What the constructor of `TenantPool` takes. The options that users give, with the defaults that they get, are in
 * `../database.options.ts`.
 */
export interface TenantPoolOptions {
  readonly context: TenantContext;
  /** Servers beside the default one, by name, each as pg's pool takes it. Default none. */
  readonly servers?: Readonly<Record<string, PoolConfig>>;
  /** Where tenants live. Default: on the default server, in their schemas. */
  readonly placements?: PlacesOfTenants;
  /** How long a caller waits for a tenant that changes its place, in milliseconds. Default 10,000. */
  readonly moveWaitMs?: number;
  /**
   * Looks at a further server, once it leads to tenants: a connection to it is given out when this has resolved. Default:
   * nothing is looked at.
   */
  readonly checkServer?: (server: string) => Promise<CheckedServer>;
  /** Called when a further server was lost: it is to be looked at again. With the error that a caller got, if one did. */
  readonly lostServer?: (server: string, error?: Error) => void;
  /** Replicas of servers, by the server's name, for what reads through `ReadPool`. Default none. */
  readonly replicas?: Readonly<Record<string, readonly PoolConfig[]>>;
  /** The same as `checkServer` for a replica. */
  readonly checkReplica?: (server: string, index: number) => Promise<CheckedServer>;
  /** The same as `lostServer` for a replica. */
  readonly lostReplica?: (server: string, index: number, error?: Error) => void;
  /** Schemas that every tenant's path ends with: extensions and look-up tables. Default none. */
  readonly sharedSchemas?: readonly string[];
  /** Statements run as the tenant's own PostgreSQL role. Default false: as the login role. */
  readonly roles?: boolean;
  /** How many connections one tenant may have at once. Default all of them. */
  readonly maxConnectionsPerTenant?: number;
  /** The same for a tenant with a database of its own, where that is fewer. Default as many as any. */
  readonly maxConnectionsPerDatabase?: number;
  /** How many requests of one tenant may wait for a connection. Default any number. */
  readonly maxWaitingPerTenant?: number;
  /** After how many different tenants a connection is replaced; 0 for never. Default 0. */
  readonly maxTenantsPerConnection?: number;
  /** After how long a lease is reported in the log, in milliseconds; 0 for never. Default 0. */
  readonly leaseWarningMs?: number;
  /** How long a tenant's statements and transactions may take. Default no timeouts. */
  readonly timeouts?: TenantTimeoutsOption;
  /** The `application_name` while a connection works for the tenant. Default the same as at any other time. */
  readonly applicationNameOf?: (tenant: Tenant) => string;
  /** Default the system's. */
  readonly clock?: Clock;
}
