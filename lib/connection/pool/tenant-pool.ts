import { DatabaseError, Pool, type PoolClient, type PoolConfig } from 'pg';
import { backgroundClock, type Clock } from '../../common/clock';
import { TenantRequiredError } from '../../context/context.errors';
import { type ContextFrame, copyOf, frameKey, type TenantContext } from '../../context/tenant-context';
import { TenantBusyError } from '../../common/tenancy.errors';
import { DEFAULT_PLACE, DEFAULT_SERVER, type Place, placeOf, type Site, siteOf } from '../../placement/place';
import { ServerUnknownError, TenantMovedError } from '../../placement/placement.errors';
import type { Tenant } from '../../registry/tenant';
import { TenantSchemaMissingError } from '../connection.errors';
import { parametersOf, type TransactionParameters } from '../protocol/transaction-parameters';
import { AmbientTransaction } from '../typeorm/ambient-transaction';
import { CheckoutRequest, type ConnectCallback } from './checkout';
import type { Doubt } from './lease';
import type { OpenLeases, PoolCounters } from './pool-use';
import { Replicas } from './replicas';
import { type PoolOfServers, ServerPool } from './server-pool';
import type { TenantPoolOptions } from './tenant-pool.options';
import { timeoutParameters } from './tenant-timeouts';

/** Where a frame's data are: a server, and a database of it unless it is the one that its connection options name. */
interface Whereabouts {
  readonly name: string;
  readonly server: ServerPool;
  readonly database: string | undefined;
}

/** Goes on with a checkout when it is known where the tenant lives. */
type Enter = (holder: ContextFrame, place: Place, callback: ConnectCallback) => void;

/** Of a frame without a tenant, the frame itself says where it works. */
const SYSTEMS = DEFAULT_PLACE;

const DEFAULT_MOVE_WAIT_MS = 10_000;

/** SQLSTATE undefined_table. */
const NO_SUCH_TABLE = '42P01';

/** What a statement gets that was sent to the place that its tenant has left. It may have other causes. */
function mayMeanLeft(error: Error): boolean {
  return (
    error instanceof TenantSchemaMissingError ||
    (error instanceof DatabaseError && error.code === NO_SUCH_TABLE)
  );
}

/**
 * The pool that TypeORM is given. Its connections work for the tenant of the code that calls `connect`, and code without a
 * tenant gets an error. It has none itself: it asks the server where the tenant lives, see `ServerPool`.
 */
export class TenantPool extends Pool implements PoolOfServers {
  readonly context: TenantContext;
  /** By name. */
  readonly servers: ReadonlyMap<string, ServerPool>;
  /** The same of those that have some. */
  readonly replicas: ReadonlyMap<string, Replicas>;
  readonly #options: Omit<TenantPoolOptions, 'servers' | 'replicas' | 'clock'>;
  /** Those of servers and replicas. */
  readonly #all: readonly ServerPool[];
  readonly #default: Whereabouts;
  /** How many callers of each tenant wait until it is known where that lives. */
  readonly #unplaced = new Map<string, number>();
  /** By tenant object, because the look-up cache gives the same object each time. */
  readonly #parameters = new WeakMap<Tenant, TransactionParameters>();

  /** @param config of the server called `default` */
  constructor(
    config: PoolConfig,
    { servers = {}, replicas = {}, clock = backgroundClock, ...options }: TenantPoolOptions,
  ) {
    super(config);
    this.context = options.context;
    this.#options = options;
    const all = Object.entries({ ...servers, [DEFAULT_SERVER]: config });
    this.servers = new Map(
      all.map(([name, each]) => {
        // What requests get while the default one is away is said of the database, as where there is one server.
        const isDefault = name === DEFAULT_SERVER;
        const told = isDefault ? {} : { name, lost: (error?: Error) => options.lostServer?.(name, error) };
        return [name, new ServerPool(each, { ...options, ...told, clock }, this)];
      }),
    );
    this.replicas = new Map(
      Object.entries(replicas).map(([name, configs]) => [name, this.#newReplicas(name, configs, clock)]),
    );
    const replicaPools = [...this.replicas.values()].flatMap(({ pools }) => pools);
    this.#all = [...this.servers.values(), ...replicaPools];
    this.#default = { name: DEFAULT_SERVER, server: this.servers.get(DEFAULT_SERVER)!, database: undefined };
  }

  /** How many connections were destroyed instead of used again, by cause. */
  get destroyedByCause(): Readonly<Partial<Record<Doubt, number>>> {
    const total: Partial<Record<Doubt, number>> = {};
    for (const { counters } of this.#all)
      for (const [cause, count] of counters.destroyed) total[cause] = (total[cause] ?? 0) + count;
    return total;
  }

  /** How many callers of `connect` wait for their turn. */
  get waiting(): number {
    const unplaced = [...this.#unplaced.values()].reduce((sum, count) => sum + count, 0);
    return unplaced + this.#sum(({ waiting }) => waiting);
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

  /** The same for what only reads: from a replica, where the tenant's server has one that is there. */
  connectToRead(callback: ConnectCallback): void {
    this.#checkOut(this.context.frame(), callback, true);
  }

  #checkOut(frame: ContextFrame | undefined, callback: ConnectCallback, isRead = false): void {
    if (!frame || frameKey(frame) === undefined)
      return callback(new TenantRequiredError(), undefined, () => {});
    if (frame.transaction?.isOpen && frame.transaction instanceof AmbientTransaction) {
      const client = frame.transaction.join();
      return callback(undefined, client, () => client.release());
    }
    const enter: Enter = (holder, place, told) => this.#enter(frame, holder, place, told, isRead);
    if (!frame.tenant) return enter(frame, SYSTEMS, callback);
    const place = this.#placeOf(frame);
    if (place) enter(frame, place, callback);
    else this.#enterLater(frame, frame.tenant, callback, enter);
  }

  /** @param holder the frame as it was when a connection was asked for: the tenant of a request may have been cleared since */
  #enter(
    frame: ContextFrame,
    holder: ContextFrame,
    place: Place,
    callback: ConnectCallback,
    isRead: boolean,
  ): void {
    const { checkServer } = this.#options;
    let request: CheckoutRequest;
    let where: Whereabouts;
    try {
      where = this.#whereaboutsOf(holder, place);
      const { server, database } = where;
      const parameters = this.#parametersOf(holder);
      const replicas = isRead ? this.replicas.get(where.name) : undefined;
      const chosen = replicas?.choose();
      if (replicas && chosen) {
        const { pool, checking } = chosen;
        const orElse = () => this.#enter(frame, holder, place, callback, false);
        const told = replicas.orElse(pool, callback, orElse);
        const read = new CheckoutRequest(pool, database, frame, parameters, told, holder);
        return checking ? pool.enterChecked(read, checking) : pool.enter(read);
      }
      request = new CheckoutRequest(server, database, frame, parameters, callback, holder);
    } catch (error) {
      if (error instanceof ServerUnknownError) void checkServer?.(error.server).catch(() => undefined);
      return callback(error as Error, undefined, () => {});
    }
    // The start has looked at the default one.
    const isChecked = where.name === DEFAULT_SERVER || where.server.isChecked;
    if (isChecked || !checkServer) where.server.enter(request);
    else where.server.enterChecked(request, checkServer(where.name));
  }

  /** The same once it is known where the tenant lives. It may be on its way. */
  #enterLater(frame: ContextFrame, tenant: Tenant, callback: ConnectCallback, enter: Enter): void {
    const { placements, maxWaitingPerTenant = Infinity, moveWaitMs = DEFAULT_MOVE_WAIT_MS } = this.#options;
    const holder = copyOf(frame);
    const waiting = this.#unplaced.get(tenant.id) ?? 0;
    const tell: ConnectCallback = (...answer) => this.context.runInFrame(frame, () => callback(...answer));
    if (!holder.unlimited && waiting >= maxWaitingPerTenant)
      return tell(new TenantBusyError(), undefined, () => {});
    this.#unplaced.set(tenant.id, waiting + 1);
    const leave = () => {
      const left = this.#unplaced.get(tenant.id)! - 1;
      if (left > 0) this.#unplaced.set(tenant.id, left);
      else this.#unplaced.delete(tenant.id);
    };
    placements!.settle(tenant, moveWaitMs).then(
      (place) => {
        leave();
        enter(holder, place, tell);
      },
      (error: unknown) => {
        leave();
        tell(error as Error, undefined, () => {});
      },
    );
  }

  #whereaboutsOf({ tenant, server: named, database: within }: ContextFrame, place: Place): Whereabouts {
    const site: Site = tenant
      ? siteOf({ place, schemaName: tenant.schemaName })
      : { server: named ?? DEFAULT_SERVER, database: within };
    const { server: name, database } = site;
    if (name === DEFAULT_SERVER && database === undefined) return this.#default;
    const server = this.servers.get(name);
    if (!server) throw new ServerUnknownError(name);
    return { name, server, database };
  }

  /** `undefined` when it must be asked for. */
  #placeOf({ tenant, unborn }: ContextFrame): Place | undefined {
    if (!tenant) return SYSTEMS;
    const { placements } = this.#options;
    if (!placements) return DEFAULT_PLACE;
    // Such work makes the schema or looks for it itself: the registry need not know the tenant yet.
    return unborn ? placeOf(tenant) : placements.current(tenant);
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
    const place = this.#placeOf(frame);
    if (!place) return undefined;
    const where = this.#whereaboutsOf(frame, place);
    return where.server === server && where.database === database ? this.#parametersOf(frame) : undefined;
  }

  explainLeft(
    server: ServerPool,
    database: string | undefined,
    { tenant, unborn }: ContextFrame,
    error: Error,
  ): Promise<Error> | undefined {
    const { placements } = this.#options;
    if (!tenant || unborn || !placements || !mayMeanLeft(error)) return undefined;
    const name = this.#nameOf(server);
    const place: Place = { server: name, isolation: database === undefined ? 'schema' : 'database' };
    return placements.hasLeft(tenant, place).then(
      (hasLeft) => (hasLeft ? new TenantMovedError({ cause: error }) : error),
      () => error,
    );
  }

  #nameOf(server: ServerPool): string {
    const isOf = ([name, each]: [string, ServerPool]) =>
      each === server || this.replicas.get(name)?.pools.includes(server);
    return [...this.servers].find(isOf)![0];
  }

  keepsConnectionOf(work: object): boolean {
    for (const { leases } of this.#all) if (leases.areKeptBy(work)) return true;
    return false;
  }

  #sum(of: (server: ServerPool) => number): number {
    let sum = 0;
    for (const server of this.#all) sum += of(server);
    return sum;
  }

  #newReplicas(name: string, configs: readonly PoolConfig[], clock: Clock): Replicas {
    const { checkReplica, lostReplica } = this.#options;
    const pools = configs.map((config, index): ServerPool => {
      const lost = (error?: Error) => {
        replicas.lose(pools[index]);
        lostReplica?.(name, index, error);
      };
      return new ServerPool(config, { ...this.#options, name, lost, clock }, this);
    });
    const replicas = new Replicas(pools, checkReplica && ((index) => checkReplica(name, index)));
    return replicas;
  }

  /** Resolves when all connections of all servers are back and closed. */
  override end(): Promise<void>;
  override end(callback: (error?: Error) => void): void;
  override end(callback?: (error?: Error) => void): Promise<void> | void {
    const all = [super.end(), ...this.#all.map((server) => server.end())];
    const ended = Promise.all(all).then(() => undefined);
    if (!callback) return ended;
    void ended.then(() => callback(), callback);
  }
}
