import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { backgroundClock, type Clock } from '../../common/clock';
import { FairQueue, type Asker, type Share } from '../../common/fair-queue';
import { isOutage } from '../../common/outage';
import { TenancyUnavailableError, TenantBusyError } from '../../common/tenancy.errors';
import { TenantRequiredError } from '../../context/context.errors';
import { scopeKey, type Scope, copyOf, workOf } from '../../context/scope';
import type { TenantContext } from '../../context/tenant-context';
import type { Tenant } from '../../registry/tenant';
import { AmbientTransaction } from '../typeorm/ambient-transaction';
import { Lease, type Doubt, type Lender } from './lease';
import { LentConnections } from './lent-connections';
import { PoolCounters } from './pool-counters';
import { settingsOf, type TransactionSettings } from '../protocol/settings';
import { TenantClient } from '../protocol/tenant-client';
import { limitSettings } from './tenant-limits';
import type { TenantPoolOptions } from './tenant-pool.options';

/** A session that is replaced has ended within milliseconds; if the network is cut just then, nobody waits for it. */
const MAX_GOODBYE_MS = 1_000;

/**
 * A pg pool that lends each connection to the tenant of the code that asks. Nothing is sent when nobody is named, and
 * nobody waits for another tenant's many: see `FairQueue`.
 */
export class TenantPool extends Pool {
  readonly context: TenantContext;
  readonly counters = new PoolCounters();
  readonly lent: LentConnections;
  readonly #clock: Clock;
  readonly #lending: Omit<TenantPoolOptions, 'context' | 'clock'>;
  readonly #queue: FairQueue<LoanRequest>;
  /** Of each tenant object that somebody still has: the look-up cache hands out the same ones again. */
  readonly #settings = new WeakMap<Tenant, TransactionSettings>();
  /** Whether connections lead to sessions of their own, as far as is known: see `TenantClient.namesRider`. */
  hasOwnSessions = false;

  constructor(config: PoolConfig, { context, clock = backgroundClock, ...lending }: TenantPoolOptions) {
    super({ ...config, Client: TenantClient as never });
    this.context = context;
    this.#clock = clock;
    this.#lending = lending;
    this.lent = new LentConnections(clock, lending.leaseWarningMs ?? 0);
    this.#queue = new FairQueue({
      size: this.options.max,
      maxPerKey: lending.maxConnectionsPerTenant ?? Infinity,
      maxWaitingPerKey: lending.maxWaitingPerTenant ?? Infinity,
    });
  }

  /** How many connections were destroyed instead of lent again, by cause. */
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
    // Read here, in the caller's frame: the connection arrives in the frame of whoever gave it back.
    const scope = this.context.scope();
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
    let settings: TransactionSettings;
    try {
      settings = this.#settingsOf(scope);
    } catch (error) {
      return callback(error as Error, undefined, () => {});
    }
    const request = new LoanRequest(this, scope, settings, callback);
    const outcome = this.#queue.enter(request);
    if (outcome === 'waiting') this.#await(request);
    else if (outcome === 'refused') this.#refuse(request, new TenantBusyError());
  }

  #await(request: LoanRequest): void {
    request.waitsSince = this.#clock.now();
    const { connectionTimeoutMillis } = this.options;
    if (!connectionTimeoutMillis) return;
    // For the whole of it: the connection may have to be opened when the turn has come.
    request.stopTimer = this.#clock.after(connectionTimeoutMillis, () => {
      const isBusy = request.waitsSince !== undefined && this.#queue.isHeldUp(request);
      if (request.waitsSince !== undefined) this.#queue.withdraw(request);
      this.#refuse(
        request,
        isBusy ? new TenantBusyError() : this.#explain(new Error('timeout exceeded when trying to connect')),
      );
    });
  }

  #refuse(request: LoanRequest, error: Error): void {
    this.counters.refuse(request.tenantId);
    request.answer(error);
  }

  /** Called by the queue: there is a connection for it, open or not. */
  open(request: LoanRequest): void {
    if (request.waitsSince !== undefined) {
      this.counters.waited(request.tenantId, this.#clock.now() - request.waitsSince);
      request.waitsSince = undefined;
    }
    // pg-pool leaves the release out when it gives up waiting, whatever its type says.
    super.connect((error, client, release: ((error?: Error | boolean) => void) | undefined) => {
      if (!error && !request.isAnswered) {
        const lease = this.#leaseOf(request, client as unknown as TenantClient, release!);
        return request.answer(undefined, lease.handle, lease.release);
      }
      release?.();
      this.#queue.leave(request);
      if (error && !request.isAnswered) request.answer(this.#explain(error));
    });
  }

  keepsConnectionOf(work: object): boolean {
    return this.lent.areKeptBy(work);
  }

  #leaseOf(
    request: LoanRequest,
    client: TenantClient,
    release: (error?: Error | boolean) => void,
    { lessee, settings }: Pick<LoanRequest, 'lessee' | 'settings'> = request,
  ): Lease {
    // A connection that has given it up does not take it up again.
    client.namesRider ??= this.hasOwnSessions || undefined;
    const busyBefore = client.busyMs;
    const returned = this.counters.lent(request.tenantId);
    const isOver = () => {
      this.lent.remove(lease);
      returned(client.busyMs + client.tookMs() - busyBefore);
    };
    const giveBack: Lender['giveBack'] = (doubt, cause) => {
      isOver();
      if (doubt) this.counters.destroy(doubt);
      const isUsedUp = !doubt && this.#isUsedUp(client);
      release(cause ?? (doubt !== undefined || isUsedUp));
      if (isUsedUp) this.#replace(client, request);
      else this.#queue.leave(request);
    };
    const lendOn = () => {
      const scope = this.context.scope();
      // The turn was that of the application's own work, whose turns have no bounds; those who wait come before its next.
      if (!scope?.tenant || !scope.unlimited || !request.isUnbounded) return undefined;
      if (this.waiting > 0 || this.#isUsedUp(client)) return undefined;
      const next = { lessee: copyOf(scope), settings: this.#settingsOf(scope) };
      isOver();
      return this.#leaseOf(request, client, release, next);
    };
    const lease = new Lease(client, lessee, settings, this.context, { giveBack, lendOn });
    this.lent.add(lease);
    if (this.#maxTenants > 0 && !lessee.system) client.served.add(scopeKey(lessee)!);
    return lease;
  }

  /**
   * How many tenants a session may meet: it remembers the tables of each. Behind a pooler the sessions are the pooler's,
   * and so is their end.
   */
  get #maxTenants(): number {
    return this.hasOwnSessions ? (this.#lending.maxTenantsPerConnection ?? 0) : 0;
  }

  #isUsedUp({ served }: TenantClient): boolean {
    return this.#maxTenants > 0 && served.size >= this.#maxTenants;
  }

  /** The next one is opened when the server has let go of the old one: there may be no room for both. */
  #replace(client: TenantClient, request: LoanRequest): void {
    this.counters.recycled++;
    const goOn = (): void => {
      stopTimer();
      client.removeListener('end', goOn);
      this.#queue.leave(request);
    };
    const stopTimer = this.#clock.after(MAX_GOODBYE_MS, goOn);
    client.once('end', goOn);
  }

  #settingsOf(scope: Scope): TransactionSettings {
    const { sharedSchemas = [], roles, limits, applicationNameOf } = this.#lending;
    if (!scope.tenant || scope.unlimited) return settingsOf(scope, sharedSchemas, roles);
    let settings = this.#settings.get(scope.tenant);
    if (!settings) {
      settings = settingsOf(scope, sharedSchemas, roles, {
        ...(limits && limitSettings(limits, scope.tenant)),
        ...(applicationNameOf && { application_name: applicationNameOf(scope.tenant) }),
      });
      this.#settings.set(scope.tenant, settings);
    }
    return settings;
  }

  /** What waits for a turn is told at once: there will be none. */
  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | void {
    const ended = callback ? super.end(callback) : super.end();
    for (const request of this.#queue.waiting) {
      this.#queue.withdraw(request);
      request.answer(this.#explain(new Error('Cannot use a pool after calling end on the pool')));
    }
    return ended;
  }

  /**
   * A socket remembers the frame it was opened in, and its events run there. Opened outside every frame, an event that
   * nobody bound runs for no tenant, rather than for the one whose request happened to need a new connection.
   */
  newClient(pendingItem: unknown): void {
    const { newClient } = Pool.prototype as unknown as { newClient(this: Pool, pendingItem: unknown): void };
    this.context.runScope(undefined, () => newClient.call(this, pendingItem));
  }

  #explain(error: Error): Error {
    return isOutage(error) ? new TenancyUnavailableError('The database', { cause: error }) : error;
  }
}

export type ConnectCallback = (
  error: Error | undefined,
  client: PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/** Work that is no tenant's request, but the application's own, takes turns with the tenants as if it were one of them. */
const OPERATOR = 'operator';

/** One call of the pool's `connect`, until it is answered. */
export class LoanRequest implements Asker {
  readonly key: string;
  readonly work: object;
  readonly isUnbounded: boolean;
  share: Share<this> | undefined;
  /** Whom it is counted for. */
  readonly tenantId: string | undefined;
  /** The scope of a request can be cleared while a connection is waited for; the loan is for who asked. */
  readonly lessee: Scope;
  /** Set while it waits for its turn. */
  waitsSince: number | undefined;
  /** Calls off the end of its time. */
  stopTimer: (() => void) | undefined;
  #isAnswered = false;

  constructor(
    private readonly pool: TenantPool,
    private readonly scope: Scope,
    readonly settings: TransactionSettings,
    private readonly callback: ConnectCallback,
  ) {
    this.work = workOf(scope);
    this.lessee = copyOf(scope);
    this.isUnbounded = scope.tenant === undefined || scope.unlimited === true;
    this.tenantId = this.isUnbounded ? undefined : scope.tenant?.id;
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
    this.pool.context.runScope(this.scope, () => this.callback(error, client, release));
  }
}
