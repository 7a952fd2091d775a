import { Logger } from '@nestjs/common';
import type { Clock } from '../../common/clock';
import type { Lease } from './lease';

/** The check runs this many times within one threshold, so a warning is late by that part at most. */
const LOOKS_PER_THRESHOLD = 4;

/** The leases of a pool that have not ended, with a warning for each that takes too long. */
export class OpenLeases {
  readonly #leases = new Map<Lease, number>();
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
    this.#leases.set(lease, this.clock.now());
    this.#watch();
  }

  remove(lease: Lease): void {
    this.#leases.delete(lease);
  }

  get size(): number {
    return this.#leases.size;
  }

  /** Whether a piece of work has a connection that it keeps after the current statement. */
  areKeptBy(work: object): boolean {
    for (const lease of this.#leases.keys()) if (lease.work === work && lease.isKept) return true;
    return false;
  }

  /** One timer for all, and only while there is a lease: most end in milliseconds. */
  #watch(): void {
    if (this.#isWatching || this.thresholdMs === 0) return;
    this.#isWatching = true;
    this.clock.after(this.thresholdMs / LOOKS_PER_THRESHOLD, () => {
      this.#isWatching = false;
      this.#look();
      if (this.#leases.size > 0) this.#watch();
    });
  }

  #look(): void {
    const now = this.clock.now();
    for (const [lease, since] of this.#leases) {
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
