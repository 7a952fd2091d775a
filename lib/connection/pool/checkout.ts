import type { PoolClient } from 'pg';
import type { Asker, Share } from '../../common/fair-queue';
import { type ContextFrame, copyOf, type TenantContext, workOf } from '../../context/tenant-context';
import type { TenantClient } from '../protocol/tenant-client';
import type { TransactionParameters } from '../protocol/transaction-parameters';
import type { Doubt, Lease, LeasingPool } from './lease';
import type { OpenLeases, PoolCounters } from './pool-use';

/** The server's pool, as much of it as a checkout calls. */
interface CheckoutPool {
  /** How many connections a tenant with a database of its own may have. */
  readonly maxPerDatabase: number;
  readonly context: TenantContext;
  readonly counters: PoolCounters;
  readonly leases: OpenLeases;
  keepsConnectionOf(work: object): boolean;
  open(request: CheckoutRequest): void;
  giveBack(checkout: Checkout, doubt: Doubt | undefined, cause: Error | undefined): void;
  handOver(checkout: Checkout): (() => Lease) | undefined;
  join(checkout: Checkout): TransactionParameters | undefined;
  explainLeft(checkout: Checkout, error: Error): Promise<Error> | undefined;
}

export type Release = (error?: Error | boolean) => void;

/**
 * What a lease was given, until it is given back. A class, and no literal: where V8 makes many objects of one literal, it
 * may come to expect that they live long, and then those that do not keep much else from being freed.
 */
export class Checkout implements LeasingPool {
  readonly #busyBefore: number;
  readonly #returned: (queryMs: number) => void;

  constructor(
    private readonly pool: CheckoutPool,
    readonly request: CheckoutRequest,
    readonly client: TenantClient,
    readonly release: Release,
    /** Whom the lease is for. */
    readonly holder: ContextFrame,
  ) {
    this.#busyBefore = client.busyMs;
    this.#returned = pool.counters.acquire(request.tenantId);
  }

  giveBack(lease: Lease, doubt: Doubt | undefined, cause: Error | undefined): void {
    this.#end(lease);
    this.pool.giveBack(this, doubt, cause);
  }

  handOver(lease: Lease): Lease | undefined {
    const next = this.pool.handOver(this);
    if (!next) return undefined;
    this.#end(lease);
    return next();
  }

  join(): TransactionParameters | undefined {
    return this.pool.join(this);
  }

  explain(error: Error): Promise<Error> | undefined {
    return this.pool.explainLeft(this, error);
  }

  #end(lease: Lease): void {
    this.pool.leases.remove(lease);
    this.#returned(this.client.busyMs + this.client.tookMs() - this.#busyBefore);
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

  /**
   * @param database of the server's; `undefined` for the one that its connection options name
   * @param holder the frame as it was when the caller asked, if that was earlier
   */
  constructor(
    private readonly pool: CheckoutPool,
    readonly database: string | undefined,
    private readonly frame: ContextFrame,
    readonly parameters: TransactionParameters,
    private readonly callback: ConnectCallback,
    holder: ContextFrame = frame,
  ) {
    this.work = workOf(frame);
    this.holder = copyOf(holder);
    this.isUnbounded = holder.tenant === undefined || holder.unlimited === true;
    this.tenantId = this.isUnbounded ? undefined : holder.tenant?.id;
    this.key = this.tenantId ?? OPERATOR;
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** The sessions of one database serve nobody else. */
  get maxPerKey(): number | undefined {
    return this.database === undefined ? undefined : this.pool.maxPerDatabase;
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
