import type { EventEmitter } from 'node:events';
import type { PoolConfig } from 'pg';
import type { Clock } from '../../common/clock';
import { FairQueue } from '../../common/fair-queue';
import { isFull, isOutage, orUnavailable } from '../../common/outage';
import { TenantBusyError } from '../../common/tenancy.errors';
import { type ContextFrame, copyOf, frameKey, type TenantContext } from '../../context/tenant-context';
import { ServerAwayError } from '../../placement/placement.errors';
import type { CheckedServer } from '../protocol/session-probe';
import type { TenantClient } from '../protocol/tenant-client';
import type { TransactionParameters } from '../protocol/transaction-parameters';
import { Checkout, type CheckoutRequest, type Release } from './checkout';
import { type Doubt, Lease } from './lease';
import { OpenLeases, PoolCounters } from './pool-use';
import { Sessions } from './sessions';
import type { TenantPoolOptions } from './tenant-pool.options';

/** As pg-pool says it. */
const NO_CONNECTION_IN_TIME = 'timeout exceeded when trying to connect';

/** The pool that has all servers, as much of it as one of them calls. */
export interface PoolOfServers extends EventEmitter {
  readonly context: TenantContext;
  /** Whether a piece of work keeps a connection, of whatever server, while it asks for another one. */
  keepsConnectionOf(work: object): boolean;
  /** With which a session of that database works for a frame; `undefined` when the frame's place is another one. */
  parametersAt(
    server: ServerPool,
    database: string | undefined,
    frame: ContextFrame,
  ): TransactionParameters | undefined;
  /** An error of a statement that may have been sent to the place that its tenant has left, once that is known. */
  explainLeft(
    server: ServerPool,
    database: string | undefined,
    frame: ContextFrame,
    error: Error,
  ): Promise<Error> | undefined;
}

/** How a server gives out its connections. */
export interface ServerPoolOptions extends Pick<
  TenantPoolOptions,
  | 'leaseWarningMs'
  | 'maxConnectionsPerDatabase'
  | 'maxConnectionsPerTenant'
  | 'maxTenantsPerConnection'
  | 'maxWaitingPerTenant'
> {
  readonly clock: Clock;
  /** What the log and errors call it; `undefined` for the one that has the registry. */
  readonly name?: string;
  /** Called when it was lost, and must be looked at again. */
  readonly lost?: (error?: Error) => void;
}

/** The connections to one server: whose turn it is, who has one, and what becomes of it afterwards. */
export class ServerPool {
  readonly context: TenantContext;
  readonly counters = new PoolCounters();
  readonly leases: OpenLeases;
  readonly sessions: Sessions;
  readonly #clock: Clock;
  readonly #connectTimeoutMs: number | undefined;
  readonly #queue: FairQueue<CheckoutRequest>;
  /** Whether each connection has a session of its own, as far as is known: see `TenantClient.hasOwnSession`. */
  hasOwnSessions = false;
  /** How many callers of each tenant wait for the server to be looked at. */
  readonly #unchecked = new Map<string, number>();
  readonly #maxUncheckedPerTenant: number;
  /** Whether it is known to be the server that it should be, and was not lost since. */
  isChecked = false;

  /** @param config as pg's pool takes it: `max` is how many sessions there may be in all databases together */
  constructor(
    config: PoolConfig,
    private readonly options: ServerPoolOptions,
    private readonly all: PoolOfServers,
  ) {
    const { clock, leaseWarningMs = 0, maxConnectionsPerTenant, maxWaitingPerTenant } = options;
    this.context = all.context;
    this.#clock = clock;
    this.#connectTimeoutMs = config.connectionTimeoutMillis;
    this.leases = new OpenLeases(clock, leaseWarningMs);
    this.sessions = new Sessions(config, {
      context: all.context,
      clock,
      events: all,
      lost: () => this.#lose(),
    });
    this.#maxUncheckedPerTenant = this.sessions.max + (maxWaitingPerTenant ?? Infinity);
    this.#queue = new FairQueue({
      size: this.sessions.max,
      maxPerKey: maxConnectionsPerTenant ?? Infinity,
      maxWaitingPerKey: maxWaitingPerTenant ?? Infinity,
      costOf: ({ database }) => this.sessions.costOf(database),
    });
  }

  /** How many connections a tenant with a database of its own may have. */
  get maxPerDatabase(): number {
    return this.options.maxConnectionsPerDatabase ?? Infinity;
  }

  /** How many callers of `connect` wait for their turn. */
  get waiting(): number {
    return this.#queue.waiting.length;
  }

  keepsConnectionOf(work: object): boolean {
    return this.all.keepsConnectionOf(work);
  }

  /** The same once the server was looked at. What that throws is what the request gets. */
  enterChecked(request: CheckoutRequest, checking: Promise<CheckedServer>): void {
    const { key, isUnbounded } = request;
    const count = this.#unchecked.get(key) ?? 0;
    if (!isUnbounded && count >= this.#maxUncheckedPerTenant)
      return this.#refuse(request, new TenantBusyError());
    this.#unchecked.set(key, count + 1);
    const leave = () => {
      const left = this.#unchecked.get(key)! - 1;
      if (left > 0) this.#unchecked.set(key, left);
      else this.#unchecked.delete(key);
    };
    if (this.#connectTimeoutMs)
      request.stopTimer = this.#clock.after(this.#connectTimeoutMs, () =>
        this.#refuse(request, this.#explain(new Error(NO_CONNECTION_IN_TIME))),
      );
    checking.then(
      ({ pooler }) => {
        leave();
        this.isChecked = true;
        this.hasOwnSessions = pooler === 'none';
        if (request.isAnswered) return;
        request.stopTimer?.();
        this.enter(request);
      },
      (error: unknown) => {
        leave();
        if (!request.isAnswered) this.#refuse(request, error as Error);
      },
    );
  }

  enter(request: CheckoutRequest): void {
    const outcome = this.#queue.enter(request);
    if (outcome === 'waiting') this.#await(request);
    else if (outcome === 'refused') this.#refuse(request, new TenantBusyError());
  }

  #await(request: CheckoutRequest): void {
    request.waitsSince = this.#clock.now();
    if (!this.#connectTimeoutMs) return;
    // The timeout covers the whole wait: when its turn has come, the connection may still have to be opened.
    request.stopTimer = this.#clock.after(this.#connectTimeoutMs, () => {
      const isBusy = request.waitsSince !== undefined && this.#queue.isHeldUp(request);
      if (request.waitsSince !== undefined) this.#queue.withdraw(request);
      this.#refuse(request, isBusy ? new TenantBusyError() : this.#explain(new Error(NO_CONNECTION_IN_TIME)));
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
      // A full one is there. To look at it would take connections that it does not have.
      const isLost = isOutage(error) && !isFull(error);
      const explained = this.#explain(error, isLost);
      if (isLost) this.#lose(explained);
      if (!request.isAnswered) request.answer(explained);
    };
    try {
      this.sessions.take(request.database, (error, client, release) => {
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

  #leaseOf(
    request: CheckoutRequest,
    client: TenantClient,
    release: Release,
    { holder, parameters }: Pick<CheckoutRequest, 'holder' | 'parameters'> = request,
  ): Lease {
    client.hasOwnSession ||= this.hasOwnSessions;
    const checkout = new Checkout(this, request, client, release, holder);
    const lease = new Lease(client, holder, parameters, this.context, checkout);
    this.leases.add(lease);
    this.#noteServed(client, holder);
    return lease;
  }

  giveBack({ request, client, release }: Checkout, doubt: Doubt | undefined, cause: Error | undefined): void {
    if (doubt) this.counters.destroy(doubt);
    if (doubt === 'connection lost') this.#lose();
    const isUsedUp = !doubt && this.#isUsedUp(client);
    release(cause ?? (doubt !== undefined || isUsedUp));
    if (isUsedUp) this.#replace(client, request);
    else this.#queue.leave(request);
  }

  /** Makes the next lease of the connection; `undefined` when there may be none. */
  handOver(checkout: Checkout): (() => Lease) | undefined {
    const { request, client, release } = checkout;
    const next = this.#nextOf(checkout);
    return next && (() => this.#leaseOf(request, client, release, { ...next, holder: copyOf(next.holder) }));
  }

  /** With what the connection works for the caller's frame besides; `undefined` when it may not. */
  join(checkout: Checkout): TransactionParameters | undefined {
    const next = this.#nextOf(checkout);
    if (next) this.#noteServed(checkout.client, next.holder);
    return next?.parameters;
  }

  /** The caller's frame, with its parameters, if it may work on the connection next. */
  #nextOf({ request, client }: Checkout) {
    const frame = this.context.frame();
    // The turn was that of the application's own work, whose turns have no bounds; those who wait come before its next.
    if (!frame?.tenant || !frame.unlimited || !request.isUnbounded) return undefined;
    if (this.waiting > 0 || this.#isUsedUp(client)) return undefined;
    const parameters = this.all.parametersAt(this, request.database, frame);
    return parameters && { holder: frame, parameters };
  }

  /** See `PoolOfServers.explainLeft`. */
  explainLeft({ request, holder }: Checkout, error: Error): Promise<Error> | undefined {
    return this.all.explainLeft(this, request.database, holder, error);
  }

  #noteServed(client: TenantClient, holder: ContextFrame): void {
    if (this.#maxTenants > 0 && !holder.system) client.served.add(frameKey(holder)!);
  }

  /** Who answers there next may be another: after a failover, a restore, a change of its address. */
  #lose(error?: Error): void {
    if (!this.isChecked) return;
    this.isChecked = false;
    this.options.lost?.(error);
  }

  #explain(error: Error, isTold = false): Error {
    const { name } = this.options;
    if (name === undefined) return orUnavailable('The database', error);
    return isOutage(error) ? new ServerAwayError(name, { cause: error, isTold }) : error;
  }

  /**
   * How many tenants a session may meet: it remembers the tables of each. Behind a pooler the sessions are the pooler's,
   * and so is their end.
   */
  get #maxTenants(): number {
    return this.hasOwnSessions ? (this.options.maxTenantsPerConnection ?? 0) : 0;
  }

  #isUsedUp({ served }: TenantClient): boolean {
    return this.#maxTenants > 0 && served.size >= this.#maxTenants;
  }

  #replace(client: TenantClient, request: CheckoutRequest): void {
    this.counters.recycled++;
    this.sessions.whenEnded(client, () => this.#queue.leave(request));
  }

  /** Requests that wait are refused at once, because they will get no connection. */
  end(): Promise<void> {
    const ended = this.sessions.end();
    for (const request of this.#queue.waiting) {
      this.#queue.withdraw(request);
      request.answer(this.#explain(new Error('Cannot use a pool after calling end on the pool')));
    }
    return ended;
  }
}
