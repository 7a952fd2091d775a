import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { backgroundClock, type Clock } from '../../common/clock';
import { FairQueue, type Asker, type Share } from '../../common/fair-queue';
import { orUnavailable } from '../../common/outage';
import { TenantBusyError } from '../../common/tenancy.errors';
import { TenantRequiredError } from '../../context/context.errors';
import {
  frameKey,
  type ContextFrame,
  copyOf,
  workOf,
  type TenantContext,
} from '../../context/tenant-context';
import type { Tenant } from '../../registry/tenant';
import { AmbientTransaction } from '../typeorm/ambient-transaction';
import { Lease, type Doubt, type LeasingPool } from './lease';
import { OpenLeases, PoolCounters } from './pool-use';
import { parametersOf, type TransactionParameters } from '../protocol/transaction-parameters';
import { TenantClient } from '../protocol/tenant-client';
import { timeoutParameters } from './tenant-timeouts';
import type { TenantPoolOptions } from './tenant-pool.options';

/** A replaced session normally ends within milliseconds. If the network is cut just then, we wait no longer than this. */
const MAX_GOODBYE_MS = 1_000;

/**
 * A pg pool whose connections work for the tenant of the code that calls `connect`. Code without a tenant gets an error, and
 * no tenant waits for the many requests of another: see `FairQueue`.
 */
export class TenantPool extends Pool {
  readonly context: TenantContext;
  readonly counters = new PoolCounters();
  readonly leases: OpenLeases;
  readonly #clock: Clock;
  readonly #options: Omit<TenantPoolOptions, 'context' | 'clock'>;
  readonly #queue: FairQueue<CheckoutRequest>;
  /** By tenant object, because the look-up cache gives the same object each time. */
  readonly #parameters = new WeakMap<Tenant, TransactionParameters>();
  /** Whether each connection has a session of its own, as far as is known: see `TenantClient.hasOwnSession`. */
  hasOwnSessions = false;

  constructor(config: PoolConfig, { context, clock = backgroundClock, ...options }: TenantPoolOptions) {
    super({ ...config, Client: TenantClient as never });
    this.context = context;
    this.#clock = clock;
    this.#options = options;
    this.leases = new OpenLeases(clock, options.leaseWarningMs ?? 0);
    this.#queue = new FairQueue({
      size: this.options.max,
      maxPerKey: options.maxConnectionsPerTenant ?? Infinity,
      maxWaitingPerKey: options.maxWaitingPerTenant ?? Infinity,
    });
  }

  /** How many connections were destroyed instead of used again, by cause. */
  get destroyedByCause(): Readonly<Partial<Record<Doubt, number>>> {
    return Object.fromEntries(this.counters.destroyed);
  }

  /** How many callers of `connect` wait for their turn. */
  get waiting(): number {
    return this.#queue.waiting.length;
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
    let parameters: TransactionParameters;
    try {
      parameters = this.#parametersOf(frame);
    } catch (error) {
      return callback(error as Error, undefined, () => {});
    }
    const request = new CheckoutRequest(this, frame, parameters, callback);
    const outcome = this.#queue.enter(request);
    if (outcome === 'waiting') this.#await(request);
    else if (outcome === 'refused') this.#refuse(request, new TenantBusyError());
  }

  #await(request: CheckoutRequest): void {
    request.waitsSince = this.#clock.now();
    const { connectionTimeoutMillis } = this.options;
    if (!connectionTimeoutMillis) return;
    // The timeout covers the whole wait: when its turn has come, the connection may still have to be opened.
    request.stopTimer = this.#clock.after(connectionTimeoutMillis, () => {
      const isBusy = request.waitsSince !== undefined && this.#queue.isHeldUp(request);
      if (request.waitsSince !== undefined) this.#queue.withdraw(request);
      this.#refuse(
        request,
        isBusy
          ? new TenantBusyError()
          : orUnavailable('The database', new Error('timeout exceeded when trying to connect')),
      );
    });
  }

  #refuse(request: CheckoutRequest, error: Error): void {
    this.counters.refuse(request.tenantId);
    request.answer(error);
  }

  /** Called by the queue: there is a connection for it, open or not. */
  open(request: CheckoutRequest): void {
    if (request.waitsSince !== undefined) {
      this.counters.waited(request.tenantId, this.#clock.now() - request.waitsSince);
      request.waitsSince = undefined;
    }
    const refuse = (error: Error): void => {
      this.#queue.leave(request);
      if (!request.isAnswered) request.answer(orUnavailable('The database', error));
    };
    try {
      // pg-pool leaves the release out when it gives up waiting, whatever its type says.
      super.connect((error, client, release: ((error?: Error | boolean) => void) | undefined) => {
        if (!error && !request.isAnswered) {
          const lease = this.#leaseOf(request, client as unknown as TenantClient, release!);
          return request.answer(undefined, lease.handle, lease.release);
        }
        release?.();
        if (error) refuse(error);
        else this.#queue.leave(request);
      });
    } catch (error) {
      // Whoever gave a connection back just now must not hear that the next one could not be made.
      refuse(error as Error);
    }
  }

  keepsConnectionOf(work: object): boolean {
    return this.leases.areKeptBy(work);
  }

  #leaseOf(
    request: CheckoutRequest,
    client: TenantClient,
    release: (error?: Error | boolean) => void,
    { holder, parameters }: Pick<CheckoutRequest, 'holder' | 'parameters'> = request,
  ): Lease {
    client.hasOwnSession ||= this.hasOwnSessions;
    const busyBefore = client.busyMs;
    const returned = this.counters.acquire(request.tenantId);
    const isOver = () => {
      this.leases.remove(lease);
      returned(client.busyMs + client.tookMs() - busyBefore);
    };
    const giveBack: LeasingPool['giveBack'] = (doubt, cause) => {
      isOver();
      if (doubt) this.counters.destroy(doubt);
      const isUsedUp = !doubt && this.#isUsedUp(client);
      release(cause ?? (doubt !== undefined || isUsedUp));
      if (isUsedUp) this.#replace(client, request);
      else this.#queue.leave(request);
    };
    const handOver = () => {
      const frame = this.context.frame();
      // The turn was that of the application's own work, whose turns have no bounds; those who wait come before its next.
      if (!frame?.tenant || !frame.unlimited || !request.isUnbounded) return undefined;
      if (this.waiting > 0 || this.#isUsedUp(client)) return undefined;
      const next = { holder: copyOf(frame), parameters: this.#parametersOf(frame) };
      isOver();
      return this.#leaseOf(request, client, release, next);
    };
    const lease = new Lease(client, holder, parameters, this.context, { giveBack, handOver });
    this.leases.add(lease);
    if (this.#maxTenants > 0 && !holder.system) client.served.add(frameKey(holder)!);
    return lease;
  }

  /**
   * How many tenants a session may meet: it remembers the tables of each. Behind a pooler the sessions are the pooler's,
   * and so is their end.
   */
  get #maxTenants(): number {
    return this.hasOwnSessions ? (this.#options.maxTenantsPerConnection ?? 0) : 0;
  }

  #isUsedUp({ served }: TenantClient): boolean {
    return this.#maxTenants > 0 && served.size >= this.#maxTenants;
  }

  /** Opens the next connection only when the server has closed the old one, because there may be no room for both. */
  #replace(client: TenantClient, request: CheckoutRequest): void {
    this.counters.recycled++;
    const goOn = (): void => {
      stopTimer();
      client.removeListener('end', goOn);
      this.#queue.leave(request);
    };
    const stopTimer = this.#clock.after(MAX_GOODBYE_MS, goOn);
    client.once('end', goOn);
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

  /** Requests that wait are refused at once, because they will get no connection. */
  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | void {
    const ended = callback ? super.end(callback) : super.end();
    for (const request of this.#queue.waiting) {
      this.#queue.withdraw(request);
      request.answer(
        orUnavailable('The database', new Error('Cannot use a pool after calling end on the pool')),
      );
    }
    return ended;
  }

  /**
   * A socket keeps the async context it was opened in, and its events run there. Opened outside of every context, an event that
   * is bound to no context runs for no tenant, rather than for the one whose request happened to need a new connection.
   */
  newClient(pendingItem: unknown): void {
    const { newClient } = Pool.prototype as unknown as { newClient(this: Pool, pendingItem: unknown): void };
    this.context.runInFrame(undefined, () => newClient.call(this, pendingItem));
  }
}

export type ConnectCallback = (
  error: Error | undefined,
  client: PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/** Work of the application itself takes turns with the tenants as if it were one more tenant. */
const OPERATOR = 'operator';

/** One call of the pool's `connect`, until it is answered. */
export class CheckoutRequest implements Asker {
  readonly key: string;
  readonly work: object;
  readonly isUnbounded: boolean;
  share: Share<this> | undefined;
  /** The tenant that the counters count it for. */
  readonly tenantId: string | undefined;
  /** The frame of a request can be cleared while a connection is waited for; the lease is for the tenant that asked. */
  readonly holder: ContextFrame;
  /** Set while it waits for its turn. */
  waitsSince: number | undefined;
  /** Cancels its timeout. */
  stopTimer: (() => void) | undefined;
  #isAnswered = false;

  constructor(
    private readonly pool: TenantPool,
    private readonly frame: ContextFrame,
    readonly parameters: TransactionParameters,
    private readonly callback: ConnectCallback,
  ) {
    this.work = workOf(frame);
    this.holder = copyOf(frame);
    this.isUnbounded = frame.tenant === undefined || frame.unlimited === true;
    this.tenantId = this.isUnbounded ? undefined : frame.tenant?.id;
    this.key = this.tenantId ?? OPERATOR;
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  isNested(): boolean {
    return this.pool.keepsConnectionOf(this.work);
  }

  start(): void {
    this.pool.open(this);
  }

  answer(
    error: Error | undefined,
    client?: PoolClient,
    release: (error?: Error | boolean) => void = () => {},
  ): void {
    this.#isAnswered = true;
    this.stopTimer?.();
    this.pool.context.runInFrame(this.frame, () => this.callback(error, client, release));
  }
}
