import { DatabaseError, Pool, type PoolClient, type PoolConfig } from 'pg';
import { backgroundClock } from '../../common/clock';
import { TenantRequiredError } from '../../context/context.errors';
import { type ContextFrame, copyOf, frameKey, type TenantContext } from '../../context/tenant-context';
import { TenantBusyError } from '../../common/tenancy.errors';
import { DEFAULT_PLACE, DEFAULT_SERVER, type Place, placeOf, type Site, siteOf } from '../../placement/place';
import { ServerUnknownError, TenantMovedError } from '../../placement/placement.errors';
import type { Tenant } from '../../registry/tenant';
import { TenantSchemaMissingError } from '../connection.errors';
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
  readonly #options: Omit<TenantPoolOptions, 'servers' | 'clock'>;
  readonly #default: Whereabouts;
  /** How many callers of each tenant wait until it is known where that lives. */
  readonly #unplaced = new Map<string, number>();
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

  #checkOut(frame: ContextFrame | undefined, callback: ConnectCallback): void {
    if (!frame || frameKey(frame) === undefined)
      return callback(new TenantRequiredError(), undefined, () => {});
    if (frame.transaction?.isOpen && frame.transaction instanceof AmbientTransaction) {
      const client = frame.transaction.join();
      return callback(undefined, client, () => client.release());
    }
    if (!frame.tenant) return this.#enter(frame, frame, SYSTEMS, callback);
    const place = this.#placeOf(frame);
    if (place) this.#enter(frame, frame, place, callback);
    else this.#enterLater(frame, frame.tenant, callback);
  }

  /** @param holder the frame as it was when a connection was asked for: the tenant of a request may have been cleared since */
  #enter(frame: ContextFrame, holder: ContextFrame, place: Place, callback: ConnectCallback): void {
    let request: CheckoutRequest;
    let where: Whereabouts;
    try {
      where = this.#whereaboutsOf(holder, place);
      const { server, database } = where;
      request = new CheckoutRequest(server, database, frame, this.#parametersOf(holder), callback, holder);
    } catch (error) {
      return callback(error as Error, undefined, () => {});
    }
    const { checkServer } = this.#options;
    // The start has looked at the default one.
    const isChecked = where.name === DEFAULT_SERVER || where.server.isChecked;
    if (isChecked || !checkServer) where.server.enter(request);
    else where.server.enterChecked(request, checkServer(where.name));
  }

  /** The same once it is known where the tenant lives. It may be on its way. */
  #enterLater(frame: ContextFrame, tenant: Tenant, callback: ConnectCallback): void {
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
        this.#enter(frame, holder, place, tell);
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
    // No registry knows it yet.
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
    const [name] = [...this.servers].find(([, each]) => each === server)!;
    const place: Place = { server: name, isolation: database === undefined ? 'schema' : 'database' };
    return placements.hasLeft(tenant, place).then(
      (hasLeft) => (hasLeft ? new TenantMovedError({ cause: error }) : error),
      () => error,
    );
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
