import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { isInteger } from '../common/options/kinds';
import { show } from '../common/show-value';
import { TenantContext } from '../context/tenant-context';
import { OnTransition, type TenantTransitionHook } from '../provisioning/hooks/transition-hooks';
import type { TenantStep } from '../provisioning/provisioning.options';
import type { Tenant } from '../registry/tenant';
import { CACHE_OPTIONS, type CheckedCacheOptions } from './cache.options';
import { CacheStore } from './cache-store';
import { TenantGenerations } from './tenant-generations';

/** A value to be kept. */
export interface CacheEntry {
  readonly key: string;
  readonly value: unknown;
  /** In milliseconds, an integer from 1. Default: the module's `ttlMs`. */
  readonly ttlMs?: number;
}

/** A place for one value, of the generation that the tenant had when it was asked for. */
export interface CachePlace {
  get(): Promise<unknown>;
  set(value: unknown, ttlMs?: number): Promise<unknown>;
}

/** A value that is being computed. */
interface Flight {
  readonly value: Promise<unknown>;
  /** Something else was set or removed meanwhile. */
  isStale: boolean;
}

/** Longer keys are kept by their hash. */
const MAX_KEY_LENGTH = 200;

/**
 * A cache for each tenant, in the one store of the cache manager. All methods work for the tenant of the current code, and
 * reject with `TenantRequiredError` without one. A store that is away is a cache without values, but for `clear()` and
 * `del()`, which reject then. A store in the process gives all callers the same object: do not change it.
 */
@Injectable()
@OnTransition()
export class TenantCache implements TenantTransitionHook {
  readonly #flights = new Map<string, Flight>();

  constructor(
    private readonly context: TenantContext,
    private readonly store: CacheStore,
    private readonly generations: TenantGenerations,
    @Inject(CACHE_OPTIONS) private readonly options: CheckedCacheOptions,
  ) {}

  /** The value; `undefined` when there is none, and while the store is away. */
  get<T>(key: string): Promise<T | undefined>;
  // Not async: promises around that of the store are much of what a read from a map costs.
  get(key: string): Promise<unknown> {
    try {
      const tenant = this.context.tenant();
      const suffix = suffixOf(key);
      const prefix = this.generations.remembered(tenant);
      return prefix === undefined ? this.#getAnew(tenant, suffix) : this.store.get(prefix + suffix);
    } catch (error) {
      const reason = error as Error;
      return Promise.reject(reason);
    }
  }

  async #getAnew(tenant: Tenant, suffix: string): Promise<unknown> {
    const prefix = await this.generations.find(tenant);
    return prefix === undefined ? undefined : this.store.get(prefix + suffix);
  }

  /** The values in the order of the keys, in one question where the store can do that. */
  async mget<T>(keys: readonly string[]): Promise<(T | undefined)[]> {
    const tenant = this.context.tenant();
    const suffixes = keys.map(suffixOf);
    const prefix = await this.#prefixOf(tenant);
    if (prefix === undefined) return keys.map(() => undefined);
    return (await this.store.getMany(suffixes.map((suffix) => prefix + suffix))) as (T | undefined)[];
  }

  /**
   * Keeps a value: JSON, `null` too, where the store is outside of the process. Resolves also when it cannot be kept.
   *
   * @param ttlMs in milliseconds, an integer from 1. Default: the module's `ttlMs`
   * @throws TypeError for `undefined`, which says that there is no value
   * @throws RangeError for another time
   */
  async set(key: string, value: unknown, ttlMs: number = this.options.ttlMs): Promise<void> {
    const tenant = this.context.tenant();
    requireValue(key, value);
    requireTime(ttlMs);
    const suffix = suffixOf(key);
    const prefix = this.generations.remembered(tenant) ?? (await this.generations.find(tenant));
    if (prefix === undefined) return;
    const name = prefix + suffix;
    this.#outdate(name);
    await this.store.set(name, value, ttlMs);
  }

  /** Keeps several values. @throws the errors of `set()` */
  async mset(entries: readonly CacheEntry[]): Promise<void> {
    const tenant = this.context.tenant();
    const checked = entries.map(({ key, value, ttlMs = this.options.ttlMs }) => {
      requireValue(key, value);
      requireTime(ttlMs);
      return { suffix: suffixOf(key), value, ttl: ttlMs };
    });
    const prefix = await this.#prefixOf(tenant);
    if (prefix === undefined) return;
    const kept = checked.map(({ suffix, value, ttl }) => ({ key: prefix + suffix, value, ttl }));
    for (const { key } of kept) this.#outdate(key);
    await this.store.setMany(kept);
  }

  /** Removes a value. @throws TenancyUnavailableError when it may still be there */
  async del(key: string): Promise<void> {
    const tenant = this.context.tenant();
    const suffix = suffixOf(key);
    const prefix = await this.generations.require(tenant);
    this.#outdate(prefix + suffix);
    await this.store.remove(prefix + suffix, this.options.ttlMs);
  }

  /**
   * The value, or what `load` gives, which is then kept. Of several callers in this instance one loads, and the others
   * wait for it. What fails is kept by nobody, nor is `undefined`.
   *
   * `load` runs for the tenant, outside of a transaction that the caller shares, so that nothing is kept which is rolled
   * back later.
   *
   * @throws what `load` throws, and the errors of `set()`
   */
  async wrap<T>(key: string, load: () => T | Promise<T>, ttlMs: number = this.options.ttlMs): Promise<T> {
    const tenant = this.context.tenant();
    requireTime(ttlMs);
    const suffix = suffixOf(key);
    const prefix = this.generations.remembered(tenant) ?? (await this.generations.find(tenant));
    const name = (prefix ?? `${tenant.id} `) + suffix;
    const known = prefix === undefined ? undefined : await this.store.get(name);
    if (known !== undefined) return known as T;
    const running = this.#flights.get(name);
    if (running) return running.value as Promise<T>;
    const keep = (value: T) => (prefix === undefined ? undefined : this.store.set(name, value, ttlMs));
    return this.#fly(name, () => this.context.run(tenant, load), keep);
  }

  /**
   * Removes all values of the tenant, at once and however many there are. Other instances do not give them any more after
   * `clearedWithinMs`. In the store they stay until their time has passed.
   *
   * @param tenant default: the tenant of the current code
   * @throws TenancyUnavailableError when they may still be there
   */
  async clear(tenant: Pick<Tenant, 'schemaName'> = this.context.tenant()): Promise<void> {
    await this.generations.renew(tenant);
  }

  /** A place that stays what it is while an answer is made, even when the tenant is cleared meanwhile. @internal */
  async place(key: string): Promise<CachePlace | undefined> {
    const prefix = await this.#prefixOf(this.context.tenant());
    if (prefix === undefined) return undefined;
    const name = prefix + suffixOf(key);
    return {
      get: () => this.store.get(name),
      set: (value, ttlMs = this.options.ttlMs) => this.store.set(name, value, ttlMs),
    };
  }

  /** Called by the library. */
  async onTransition(tenant: Tenant, step: TenantStep): Promise<void> {
    if (step !== 'purge') return;
    await this.generations.renew(tenant);
    await this.generations.forget(tenant);
  }

  async #prefixOf(tenant: Tenant): Promise<string | undefined> {
    return this.generations.remembered(tenant) ?? (await this.generations.find(tenant));
  }

  async #fly<T>(name: string, load: () => T | Promise<T>, keep: (value: T) => unknown): Promise<T> {
    // Not begun before the flight is known: what it calls may set or remove the value.
    const value = Promise.resolve().then(load);
    const flight: Flight = {
      value: value.then((loaded) => this.#land(flight, loaded, keep)),
      isStale: false,
    };
    this.#flights.set(name, flight);
    try {
      return (await flight.value) as T;
    } finally {
      if (this.#flights.get(name) === flight) this.#flights.delete(name);
    }
  }

  async #land<T>(flight: Flight, value: T, keep: (value: T) => unknown): Promise<T> {
    if (!flight.isStale && value !== undefined) await keep(value);
    return value;
  }

  /** What is being computed was asked for before the value changed. */
  #outdate(name: string): void {
    if (this.#flights.size === 0) return;
    const flight = this.#flights.get(name);
    if (!flight) return;
    flight.isStale = true;
    this.#flights.delete(name);
  }
}

/** `=` and the key, or `#` and its hash: no key is the hash of another. */
function suffixOf(key: string): string {
  if (typeof key !== 'string') throw new TypeError(`The key of a cached value is a text, not ${show(key)}.`);
  // Half of a character has no form of its own in UTF-8.
  if (key.length <= MAX_KEY_LENGTH && isWellFormed(key)) return `=${key}`;
  return `#${createHash('sha256').update(key, 'utf16le').digest('base64url')}`;
}

/** ES2024, which Node 20 has: it looks into no text of Latin letters, other than a regular expression. */
function isWellFormed(key: string): boolean {
  return (key as string & { isWellFormed(): boolean }).isWellFormed();
}

function requireValue(key: string, value: unknown): void {
  if (value === undefined)
    throw new TypeError(
      `The value of ${show(key)} is undefined, which cannot be kept: give null, or call del().`,
    );
}

function requireTime(ttlMs: number): void {
  if (!isInteger(ttlMs, 1))
    throw new RangeError(`ttlMs must be milliseconds, an integer from 1, not ${show(ttlMs)}.`);
}
