import { Inject, Injectable, Optional } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { normalizeClaim } from '../tenant/claim';
import type { Tenant, TenantClaim } from '../tenant/tenant';
import { TenantStore } from '../tenant/tenant.store';
import { RESOLUTION_OPTIONS, type ResolutionOptions } from './resolution.options';

/** Where `TenantLookup` reads the time, in milliseconds from any origin. Default: `performance`. */
export const LOOKUP_CLOCK = Symbol('LOOKUP_CLOCK');

export interface LookupClock {
  now(): number;
}

const DEFAULT_MAX_ENTRIES = 10_000;
const DEFAULT_TTL_MS = 1_000;
/** A name that is free now may be a tenant's in a moment. */
const MAX_ABSENT_TTL_MS = 1_000;

/**
 * The registry's answers, remembered for a moment. One question is asked once, however many requests wait for it.
 * An answer is served for `ttlMs` from the moment its question was sent.
 */
@Injectable()
export class TenantLookup {
  readonly #clock: LookupClock;
  readonly #ttlMs: number;
  readonly #found: LRUCache<string, Tenant>;
  /** Names of nobody. Apart from the tenants, so that a flood of guesses does not push them out. */
  readonly #absent: LRUCache<string, true>;
  readonly #pending = new Map<string, Promise<Tenant | undefined>>();

  constructor(
    private readonly store: TenantStore,
    @Inject(RESOLUTION_OPTIONS) { cache = {} }: ResolutionOptions,
    @Optional() @Inject(LOOKUP_CLOCK) clock: LookupClock = performance,
  ) {
    const { maxEntries: max = DEFAULT_MAX_ENTRIES, ttlMs = DEFAULT_TTL_MS } = cache;
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    // ttlResolution 0: else the cache keeps a reading of the clock for a millisecond, with a timer.
    const common = { max, perf: clock, ttlResolution: 0 };
    this.#found = new LRUCache({ ...common, ttl: ttlMs });
    this.#absent = new LRUCache({ ...common, ttl: Math.min(ttlMs, MAX_ABSENT_TTL_MS) });
  }

  /**
   * The tenant a claim names, whatever its status. A malformed value names nobody, and the store is not asked.
   *
   * @throws TenancyUnavailableError when the store cannot answer; the next call asks again
   */
  find(claim: TenantClaim): Promise<Tenant | undefined> {
    const known = normalizeClaim(claim);
    if (!known) return Promise.resolve(undefined);
    const key = keyOf(known);
    const tenant = this.#found.get(key);
    if (tenant || this.#absent.has(key)) return Promise.resolve(tenant);
    return this.#pending.get(key) ?? this.#ask(key, known);
  }

  /** The tenant a claim names if it is remembered, at once; `undefined` says nothing. */
  remembered(claim: TenantClaim): Tenant | undefined {
    const known = normalizeClaim(claim);
    return known && this.#found.get(keyOf(known));
  }

  /** Drops what is remembered of a tenant, and every "nobody", since a changed tenant may have a new name. */
  forget({ id }: Pick<Tenant, 'id'>): void {
    // Questions under way may bring the state from before the change: nobody else may join them, nor are they kept.
    this.#pending.clear();
    this.#absent.clear();
    for (const [key, tenant] of [...this.#found.entries()]) {
      if (tenant.id === id) this.#found.delete(key);
    }
  }

  /** Drops everything that is remembered. */
  clear(): void {
    this.#pending.clear();
    this.#absent.clear();
    this.#found.clear();
  }

  #ask(key: string, claim: TenantClaim): Promise<Tenant | undefined> {
    const start = this.#clock.now();
    const answer = this.store.find(claim).then(
      (tenant) => {
        if (this.#settle(key, answer)) this.#remember(key, tenant, start);
        return tenant;
      },
      (error: unknown) => {
        this.#settle(key, answer);
        throw error;
      },
    );
    this.#pending.set(key, answer);
    return answer;
  }

  /** Whether the question was still the current one for its key. */
  #settle(key: string, answer: Promise<Tenant | undefined>): boolean {
    return this.#pending.get(key) === answer && this.#pending.delete(key);
  }

  #remember(key: string, tenant: Tenant | undefined, start: number): void {
    // To lru-cache a ttl of 0 means for ever.
    if (this.#ttlMs === 0) return;
    if (tenant) this.#found.set(key, tenant, { start });
    else this.#absent.set(key, true, { start });
  }
}

function keyOf({ by, value }: TenantClaim): string {
  return `${by} ${value}`;
}
