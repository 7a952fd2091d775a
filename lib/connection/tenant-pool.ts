import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { isOutage } from '../common/outage';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { TenantRequiredError } from '../context/context.errors';
import { scopeKey, type Scope } from '../context/scope';
import type { Tenant } from '../tenant/tenant';
import type { TenantContext } from '../context/tenant-context';
import { AmbientTransaction } from './ambient-transaction';
import { Lease, type Doubt } from './lease';
import { settingsOf, type TransactionSettings } from './settings';
import { TenantClient } from './tenant-client';

export interface TenantPoolOptions {
  readonly context: TenantContext;
  /** Schemas that every tenant's path ends with: extensions and look-up tables. Default none. */
  readonly sharedSchemas?: readonly string[];
}

type ConnectCallback = (
  error: Error | undefined,
  client: PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/**
 * A pg pool that lends each connection to the tenant of the code that asks. Nothing is sent when nobody is named.
 */
export class TenantPool extends Pool {
  readonly #context: TenantContext;
  readonly #sharedSchemas: readonly string[];
  readonly #destroyed = new Map<Doubt, number>();
  /** Of each tenant object that somebody still has: the look-up cache hands out the same ones again. */
  readonly #settings = new WeakMap<Tenant, TransactionSettings>();
  /** Whether connections lead to sessions of their own, as far as is known: see `TenantClient.namesRider`. */
  hasOwnSessions = false;

  constructor(config: PoolConfig, { context, sharedSchemas = [] }: TenantPoolOptions) {
    super({ ...config, Client: TenantClient as never });
    this.#context = context;
    this.#sharedSchemas = sharedSchemas;
  }

  /** How many connections were destroyed instead of lent again, by cause. */
  get destroyedByCause(): Readonly<Partial<Record<Doubt, number>>> {
    return Object.fromEntries(this.#destroyed);
  }

  override connect(): Promise<PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<PoolClient> | void {
    // Read here, in the caller's frame: the connection arrives in the frame of whoever gave it back.
    const scope = this.#context.scope();
    if (callback) return this.#lend(scope, callback);
    return new Promise((resolve, reject) => {
      this.#lend(scope, (error, client) => (error ? reject(error) : resolve(client as PoolClient)));
    });
  }

  #lend(scope: Scope | undefined, callback: ConnectCallback): void {
    if (!scope || scopeKey(scope) === undefined)
      return callback(new TenantRequiredError(), undefined, () => {});
    if (scope.transaction?.isOpen && scope.transaction instanceof AmbientTransaction) {
      const client = scope.transaction.join();
      return callback(undefined, client, () => client.release());
    }
    // The scope of a request can be cleared while the connection is waited for; the loan is for who asked.
    const lessee: Scope = { ...scope };
    const settings = this.#settingsOf(lessee);
    super.connect((error, client, release) => {
      this.#context.runScope(scope, () => {
        if (error) return callback(this.#explain(error), undefined, () => {});
        const giveBack = (doubt: Doubt | undefined, cause: Error | undefined) => {
          if (doubt) this.#destroyed.set(doubt, (this.#destroyed.get(doubt) ?? 0) + 1);
          release(cause ?? doubt !== undefined);
        };
        const tenantClient = client as unknown as TenantClient;
        // A connection that has given it up does not take it up again.
        tenantClient.namesRider ??= this.hasOwnSessions || undefined;
        const lease = new Lease(tenantClient, lessee, settings, this.#context, giveBack);
        callback(undefined, lease.handle, lease.release);
      });
    });
  }

  #settingsOf(scope: Scope): TransactionSettings {
    const known = scope.tenant && this.#settings.get(scope.tenant);
    if (known) return known;
    const settings = settingsOf(scope, this.#sharedSchemas);
    if (scope.tenant) this.#settings.set(scope.tenant, settings);
    return settings;
  }

  /**
   * A socket remembers the frame it was opened in, and its events run there. Opened outside every frame, an event that
   * nobody bound runs for no tenant, rather than for the one whose request happened to need a new connection.
   */
  newClient(pendingItem: unknown): void {
    const { newClient } = Pool.prototype as unknown as { newClient(this: Pool, pendingItem: unknown): void };
    this.#context.runScope(undefined, () => newClient.call(this, pendingItem));
  }

  #explain(error: Error): Error {
    return isOutage(error) ? new TenancyUnavailableError('The database', { cause: error }) : error;
  }
}
