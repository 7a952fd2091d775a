import { Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../common/clock';
import type { Doubt, Lease } from './lease';

/** The check runs this many times within one threshold, so a warning is late by that part at most. */
const LOOKS_PER_THRESHOLD = 4;

class OpenLease {
  constructor(
    readonly lease: Lease,
    readonly since: number,
  ) {}
}

/** The leases of a pool that have not ended, with a warning for each that takes too long. */
export class OpenLeases {
  /**
   * In no order. A Map that is filled and emptied all the time is copied every few entries, and V8 links each copy to the
   * next: once one of them is old, the collector of young objects frees none of their leases.
   */
  readonly #leases: OpenLease[] = [];
  readonly #warned = new WeakSet<Lease>();
  readonly #logger = new Logger('Tenancy');
  #isWatching = false;
  /** How many leases took so long that a warning was logged. */
  longLeases = 0;

  /** `thresholdMs` 0: no warnings. */
  constructor(
    private readonly clock: Clock,
    private readonly thresholdMs: number,
  ) {}

  add(lease: Lease): void {
    this.#leases.push(new OpenLease(lease, this.clock.now()));
    this.#watch();
  }

  remove(lease: Lease): void {
    const index = this.#leases.findIndex((open) => open.lease === lease);
    if (index === -1) return;
    const last = this.#leases.pop()!;
    if (index < this.#leases.length) this.#leases[index] = last;
  }

  get size(): number {
    return this.#leases.length;
  }

  /** Whether a piece of work has a connection that it keeps after the current statement. */
  areKeptBy(work: object): boolean {
    return this.#leases.some(({ lease }) => lease.work === work && lease.isKept);
  }

  /** One timer for all, and only while there is a lease: most end in milliseconds. */
  #watch(): void {
    if (this.#isWatching || this.thresholdMs === 0) return;
    this.#isWatching = true;
    this.clock.after(this.thresholdMs / LOOKS_PER_THRESHOLD, () => {
      this.#isWatching = false;
      this.#look();
      if (this.size > 0) this.#watch();
    });
  }

  #look(): void {
    const now = this.clock.now();
    for (const { lease, since } of this.#leases) {
      if (now - since < this.thresholdMs || this.#warned.has(lease)) continue;
      this.#warned.add(lease);
      this.longLeases++;
      this.#logger.warn(
        `A connection has been checked out by ${lease.holder} for ${Math.round((now - since) / 1000)} s: ${lease.state}. ` +
          'Others wait for it meanwhile. Keep transactions short, and release what you take.',
      );
    }
  }
}

/** A few hundred bytes for each. */
const MAX_REMEMBERED_TENANTS = 10_000;

/**
 * How one tenant's requests have used connections since the start, or since the tenant was forgotten. `runUnlimited`
 * does not count.
 */
export interface TenantLoad {
  readonly tenantId: string;
  /** Connections that it has now. */
  readonly active: number;
  /** How often it got a connection. */
  readonly leases: number;
  /** How long its statements took, as this process sees it: with the time on the network. */
  readonly queryMs: number;
  /** How often it had to wait for its turn, and how long in all. */
  readonly waits: number;
  readonly waitedMs: number;
  /** How often it got no connection: too many waited already, or the wait took too long. */
  readonly refused: number;
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/** What happened in one pool since it was made. */
export class PoolCounters {
  leases = 0;
  queryMs = 0;
  waits = 0;
  waitedMs = 0;
  refused = 0;
  recycled = 0;
  readonly destroyed = new Map<Doubt, number>();
  /** The tenants that used the pool last. */
  readonly #tenants = new LRUCache<string, Mutable<TenantLoad>>({ max: MAX_REMEMBERED_TENANTS });

  /**
   * Counts a checkout. Call the returned function with the time that its statements took, when the connection is
   * released.
   */
  acquire(tenantId: string | undefined): (queryMs: number) => void {
    this.leases++;
    const load = this.#loadOf(tenantId);
    if (load) {
      load.leases++;
      load.active++;
    }
    return (queryMs) => {
      this.queryMs += queryMs;
      if (!load) return;
      load.queryMs += queryMs;
      load.active--;
    };
  }

  waited(tenantId: string | undefined, ms: number): void {
    this.waits++;
    this.waitedMs += ms;
    const load = this.#loadOf(tenantId);
    if (!load) return;
    load.waits++;
    load.waitedMs += ms;
  }

  refuse(tenantId: string | undefined): void {
    this.refused++;
    const load = this.#loadOf(tenantId);
    if (load) load.refused++;
  }

  destroy(cause: Doubt): void {
    this.destroyed.set(cause, (this.destroyed.get(cause) ?? 0) + 1);
  }

  /** The counters of each tenant that is remembered, the latest first. */
  get tenants(): TenantLoad[] {
    return [...this.#tenants.values()].map((load) => ({ ...load }));
  }

  loadOf(tenantId: string): TenantLoad | undefined {
    return this.#tenants.peek(tenantId);
  }

  #loadOf(tenantId: string | undefined): Mutable<TenantLoad> | undefined {
    if (tenantId === undefined) return undefined;
    let load = this.#tenants.get(tenantId);
    if (!load) {
      load = { tenantId, active: 0, leases: 0, queryMs: 0, waits: 0, waitedMs: 0, refused: 0 };
      this.#tenants.set(tenantId, load);
    }
    return load;
  }
}
