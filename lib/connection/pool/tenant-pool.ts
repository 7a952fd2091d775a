import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { backgroundClock } from '../../common/clock';
import { TenantRequiredError } from '../../context/context.errors';
import { type ContextFrame, frameKey, type TenantContext } from '../../context/tenant-context';
import { DEFAULT_PLACE, DEFAULT_SERVER, type Place, type Site, siteOf } from '../../placement/place';
import { ServerUnknownError } from '../../placement/placement.errors';
import type { Tenant } from '../../registry/tenant';
import { parametersOf, type TransactionParameters } from '../protocol/transaction-parameters';
import { AmbientTransaction } from '../typeorm/ambient-transaction';
import type { Doubt } from './lease';
import type { OpenLeases, PoolCounters } from './pool-use';
import { CheckoutRequest, type ConnectCallback, type PoolOfServers, ServerPool } from './server-pool';
import type { TenantPoolOptions } from './tenant-pool.options';
import { timeoutParameters } from './tenant-timeouts';

/** Where a frame's data are: a server, and a database of it unless it is the one that its connection options name. */
interface Whereabouts {
  readonly name: string;
  readonly server: ServerPool;
  readonly database: string | undefined;
}

/**
 * The pool that TypeORM is given. Its connections work for the tenant of the code that calls `connect`, and code without a
 * tenant gets an error. It has none itself: it asks the server where the tenant lives, see `ServerPool`.
 */
export class TenantPool extends Pool implements PoolOfServers {
  readonly context: TenantContext;
  /** By name. */
  readonly servers: ReadonlyMap<string, ServerPool>;
  readonly #options: Omit<TenantPoolOptions, 'servers' | 'clock'>;
  readonly #default: Whereabouts;
  /** By tenant object, because the look-up cache gives the same object each time. */
  readonly #parameters = new WeakMap<Tenant, TransactionParameters>();

  /** @param config of the server called `default` */
  constructor(config: PoolConfig, { servers = {}, clock = backgroundClock, ...options }: TenantPoolOptions) {
    super(config);
    this.context = options.context;
    this.#options = options;
    const all = Object.entries({ ...servers, [DEFAULT_SERVER]: config });
    this.servers = new Map(
      all.map(([name, each]) => [name, new ServerPool(each, { ...options, clock }, this)]),
    );
    this.#default = { name: DEFAULT_SERVER, server: this.servers.get(DEFAULT_SERVER)!, database: undefined };
  }

  /** How many connections were destroyed instead of used again, by cause. */
  get destroyedByCause(): Readonly<Partial<Record<Doubt, number>>> {
    const total: Partial<Record<Doubt, number>> = {};
    for (const { counters } of this.servers.values())
      for (const [cause, count] of counters.destroyed) total[cause] = (total[cause] ?? 0) + count;
    return total;
  }

  /** How many callers of `connect` wait for their turn. */
  get waiting(): number {
    return this.#sum(({ waiting }) => waiting);
  }

  // @ts-expect-error It is a getter of pg's, too, whatever its type says.
  override get totalCount(): number {
    return this.#sum(({ sessions }) => sessions.open);
  }

  // @ts-expect-error The same.
  override get idleCount(): number {
    return this.#sum(({ sessions }) => sessions.idle);
  }

  /** Of the default server. */
  get counters(): PoolCounters {
    return this.#default.server.counters;
  }

  get leases(): OpenLeases {
    return this.#default.server.leases;
  }

  get hasOwnSessions(): boolean {
    return this.#default.server.hasOwnSessions;
  }

  set hasOwnSessions(value: boolean) {
    this.#default.server.hasOwnSessions = value;
  }

  override connect(): Promise<PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<PoolClient> | void {
    // Read here, in the caller's context: the callback later runs in the context of the code that released the connection.
    const frame = this.context.frame();
    if (callback) return this.#checkOut(frame, callback);
    return new Promise((resolve, reject) => {
      this.#checkOut(frame, (error, client) => (error ? reject(error) : resolve(client as PoolClient)));
    });
  }

  #checkOut(frame: ContextFrame | undefined, callback: ConnectCallback): void {
    if (!frame || frameKey(frame) === undefined)
      return callback(new TenantRequiredError(), undefined, () => {});
    if (frame.transaction?.isOpen && frame.transaction instanceof AmbientTransaction) {
      const client = frame.transaction.join();
      return callback(undefined, client, () => client.release());
    }
    let request: CheckoutRequest;
    let where: Whereabouts;
    try {
      where = this.#whereaboutsOf(frame);
      const { server, database } = where;
      request = new CheckoutRequest(server, database, frame, this.#parametersOf(frame), callback);
    } catch (error) {
      return callback(error as Error, undefined, () => {});
    }
    const { checkServer } = this.#options;
    // The start has looked at the default one.
    const isChecked = where.name === DEFAULT_SERVER || where.server.isChecked;
    if (isChecked || !checkServer) where.server.enter(request);
    else where.server.enterChecked(request, checkServer(where.name));
  }

  #whereaboutsOf({ tenant, server: named = DEFAULT_SERVER, database: within }: ContextFrame): Whereabouts {
    const { server: name, database } = tenant ? this.#siteOf(tenant) : { server: named, database: within };
    if (name === DEFAULT_SERVER && database === undefined) return this.#default;
    const server = this.servers.get(name);
    if (!server) throw new ServerUnknownError(name);
    return { name, server, database };
  }

  #siteOf(tenant: Tenant): Site {
    // A store of the application's own may leave the place out.
    const place: Place = this.#options.placeOf?.(tenant) ?? DEFAULT_PLACE;
    return siteOf({ place, schemaName: tenant.schemaName });
  }

  #parametersOf(frame: ContextFrame): TransactionParameters {
    const { sharedSchemas = [], roles, timeouts, applicationNameOf } = this.#options;
    if (!frame.tenant || frame.unlimited) return parametersOf(frame, sharedSchemas, roles);
    let parameters = this.#parameters.get(frame.tenant);
    if (!parameters) {
      parameters = parametersOf(frame, sharedSchemas, roles, {
        ...(timeouts && timeoutParameters(timeouts, frame.tenant)),
        ...(applicationNameOf && { application_name: applicationNameOf(frame.tenant) }),
      });
      this.#parameters.set(frame.tenant, parameters);
    }
    return parameters;
  }

  parametersAt(
    server: ServerPool,
    database: string | undefined,
    frame: ContextFrame,
  ): TransactionParameters | undefined {
    const where = this.#whereaboutsOf(frame);
    return where.server === server && where.database === database ? this.#parametersOf(frame) : undefined;
  }

  keepsConnectionOf(work: object): boolean {
    for (const { leases } of this.servers.values()) if (leases.areKeptBy(work)) return true;
    return false;
  }

  #sum(of: (server: ServerPool) => number): number {
    let sum = 0;
    for (const server of this.servers.values()) sum += of(server);
    return sum;
  }

  /** Resolves when all connections of all servers are back and closed. */
  override end(): Promise<void>;
  override end(callback: (error?: Error) => void): void;
  override end(callback?: (error?: Error) => void): Promise<void> | void {
    const all = [super.end(), ...[...this.servers.values()].map((server) => server.end())];
    const ended = Promise.all(all).then(() => undefined);
    if (!callback) return ended;
    void ended.then(() => callback(), callback);
  }
}
