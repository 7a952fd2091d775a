import type { ModuleRef } from '@nestjs/core';
import type { Cache } from 'cache-manager';
import type { TenantContext } from '../../lib';
import type { TenancyCacheOptions } from '../../lib/cache';
import { CheckedCacheOptions } from '../../lib/cache/cache.options';
import { CacheStore } from '../../lib/cache/cache-store';
import { DeadGenerations } from '../../lib/cache/dead-generations';
import { TenantCache } from '../../lib/cache/tenant-cache';
import { TenantGenerations } from '../../lib/cache/tenant-generations';
import type { Clock } from '../../lib/common/clock';

/** The cache of one more instance of an application. */
export function cacheInstance(
  context: TenantContext,
  cache: Cache,
  options: TenancyCacheOptions = {},
  clock?: Clock,
): TenantCache {
  const checked = Object.assign(new CheckedCacheOptions(), { cache }, options);
  const store = new CacheStore({} as ModuleRef, checked, clock);
  const dead = new DeadGenerations(store, checked, clock);
  const generations = new TenantGenerations(store, dead, checked, clock);
  return new TenantCache(context, store, generations, checked);
}

/** What a store of Keyv does with a question. `lost`: it says that all is well. */
export type StoreFault = 'none' | 'error' | 'silence' | 'lost';

/** A store outside of the process, as Keyv uses one, that can be away. */
export class FaultyStore {
  readonly values = new Map<string, unknown>();
  fault: StoreFault = 'none';
  asked = 0;
  opts = {};
  namespace?: string;

  get(key: string): Promise<unknown> {
    return this.#answer(() => this.values.get(key));
  }

  set(key: string, value: unknown): Promise<unknown> {
    return this.#answer(() => this.values.set(key, value) && true);
  }

  delete(key: string): Promise<boolean | undefined> {
    return this.#answer(() => this.values.delete(key));
  }

  clear(): Promise<void> {
    return this.#answer(() => this.values.clear());
  }

  on(): this {
    return this;
  }

  #answer<T>(work: () => T): Promise<T | undefined> {
    this.asked += 1;
    if (this.fault === 'error') return Promise.reject(new Error('the store is away'));
    if (this.fault === 'silence') return new Promise(() => undefined);
    return Promise.resolve(this.fault === 'lost' ? undefined : work());
  }
}
