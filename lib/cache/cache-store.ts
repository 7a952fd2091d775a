import {
  Inject,
  Injectable,
  Logger,
  type OnModuleDestroy,
  type OnModuleInit,
  Optional,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { Cache } from 'cache-manager';
import { backgroundClock, CLOCK, type Clock } from '../common/clock';
import { ModuleMissingError } from '../common/start.errors';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { NoAnswerError, within } from '../common/within';
import { CACHE_OPTIONS, type CheckedCacheOptions } from './cache.options';

/** As much of a store of cache-manager as is used: of Keyv, or of Cacheable. */
interface Store {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, ttl?: number): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  on?(event: 'error', listener: (error: unknown) => void): unknown;
  off?(event: 'error', listener: (error: unknown) => void): unknown;
  /** Of Keyv: what it keeps its values in. */
  readonly store?: unknown;
}

/** The cache manager, once it is known. */
interface Opened {
  readonly cache: Cache;
  readonly stores: readonly Store[];
  /** The last one, which instances share if they share any. */
  readonly shared: Store;
  /** All values are in maps of this process, which neither fail nor hang. */
  readonly isLocal: boolean;
}

/** As Nest's `CacheModule` provides it. The package need not be there. */
const CACHE_MANAGER = 'CACHE_MANAGER';

/** Nothing is asked of a store for this long after it did not answer in time. */
const PAUSE_MS = 1_000;

const LOG_INTERVAL_MS = 60_000;

/** Stands where a value was that must not be found any more. */
const REMOVED = 'nestjs-tenancy removed';

/** The cache manager, for which a failed use is as good as a value that is not there, but where that would be wrong. */
@Injectable()
export class CacheStore implements OnModuleInit, OnModuleDestroy {
  readonly #logger = new Logger('Tenancy');
  #opened?: Opened;
  #quietUntil = -Infinity;
  #pausedUntil = -Infinity;

  constructor(
    private readonly modules: ModuleRef,
    @Inject(CACHE_OPTIONS) private readonly options: CheckedCacheOptions,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {}

  /** @throws ModuleMissingError when there is no cache manager */
  onModuleInit(): void {
    this.#open();
  }

  onModuleDestroy(): void {
    for (const store of this.#opened?.stores ?? []) store.off?.('error', this.#note);
  }

  /** `undefined` when it is not there, or cannot be read. */
  get(key: string): Promise<unknown> {
    const { cache, isLocal } = this.#open();
    return isLocal ? cache.get(key) : this.#leniently(() => cache.get(key)).then(unlessRemoved);
  }

  /** In the order of the keys. */
  async getMany(keys: string[]): Promise<unknown[]> {
    if (keys.length === 0) return [];
    const found = await this.#leniently(() => this.#open().cache.mget(keys));
    return keys.map((_, index) => unlessRemoved(found?.[index]));
  }

  /** Resolves also when it cannot be kept. */
  set(key: string, value: unknown, ttlMs: number): Promise<unknown> {
    const { cache, isLocal } = this.#open();
    return isLocal ? cache.set(key, value, ttlMs) : this.#leniently(() => cache.set(key, value, ttlMs));
  }

  async setMany(entries: { key: string; value: unknown; ttl: number }[]): Promise<void> {
    if (entries.length > 0) await this.#leniently(() => this.#open().cache.mset(entries));
  }

  /**
   * Most stores say nothing of a removal that failed. So another value is put there, and looked for.
   *
   * @throws TenancyUnavailableError when it may still be there
   */
  async remove(key: string, ttlMs: number): Promise<void> {
    const { cache, stores, isLocal } = this.#open();
    if (!isLocal) {
      const mark = { [REMOVED]: true };
      await this.#strictly(async () => {
        await cache.set(key, mark, ttlMs);
        const left = await Promise.all(stores.map((store) => store.get(key)));
        if (!left.every(isRemoved)) throw new Error('A value may still be there.');
      });
    }
    await this.#leniently(() => cache.del(key));
  }

  /** What instances share. @throws TenancyUnavailableError when there is no answer */
  readShared(key: string): Promise<unknown> {
    return this.#strictly(() => this.#open().shared.get(key));
  }

  /** The same without end. A store that does not say when it fails does not fail here, either. */
  async writeShared(key: string, value: string): Promise<void> {
    await this.#strictly(() => this.#open().shared.set(key, value, 0));
  }

  async removeShared(key: string): Promise<void> {
    await this.#strictly(() => this.#open().shared.delete(key));
  }

  /** What stores of this process keep their values in. */
  get maps(): readonly Map<string, unknown>[] {
    return this.#open().stores.flatMap(({ store }) =>
      store instanceof Map ? [store as Map<string, unknown>] : [],
    );
  }

  /** Whether nothing is asked, because the last question was not answered in time. */
  get isPaused(): boolean {
    return this.clock.now() < this.#pausedUntil;
  }

  #open(): Opened {
    return (this.#opened ??= this.#opening());
  }

  #opening(): Opened {
    const cache = this.options.cache ?? this.#provided();
    const stores = cache.stores as unknown as readonly Store[];
    // Without a listener their errors would be lost.
    for (const store of stores) store.on?.('error', this.#note);
    const isLocal = stores.every(({ store }) => store instanceof Map);
    return { cache, stores, shared: stores.at(-1)!, isLocal };
  }

  #provided(): Cache {
    try {
      return this.modules.get<Cache>(CACHE_MANAGER, { strict: false });
    } catch {
      throw new ModuleMissingError(['TenancyCacheModule', 'CacheModule of @nestjs/cache-manager']);
    }
  }

  #inTime<T>(use: () => Promise<T>): Promise<T> {
    return this.#open().isLocal ? use() : within(this.options.timeoutMs, use());
  }

  async #strictly<T>(use: () => Promise<T>): Promise<T> {
    try {
      return await this.#inTime(use);
    } catch (error) {
      this.#note(error);
      throw new TenancyUnavailableError('The cache', { cause: error });
    }
  }

  async #leniently<T>(use: () => Promise<T>): Promise<T | undefined> {
    if (this.isPaused) return undefined;
    try {
      return await this.#inTime(use);
    } catch (error) {
      if (error instanceof NoAnswerError) this.#pausedUntil = this.clock.now() + PAUSE_MS;
      this.#note(error);
      return undefined;
    }
  }

  /** Logged at most once a minute, because thousands of uses may fail in it. */
  readonly #note = (error: unknown): void => {
    const now = this.clock.now();
    if (now < this.#quietUntil) return;
    this.#quietUntil = now + LOG_INTERVAL_MS;
    this.#logger.error(`The cache fails, so values are computed anew. ${String(error)}`);
  };
}

function isRemoved(value: unknown): boolean {
  return typeof value === 'object' && value !== null && REMOVED in value;
}

function unlessRemoved(value: unknown): unknown {
  return isRemoved(value) ? undefined : value;
}
