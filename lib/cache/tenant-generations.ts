import { randomBytes } from 'node:crypto';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { backgroundClock, CLOCK, type Clock } from '../common/clock';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import type { Tenant } from '../registry/tenant';
import { CACHE_OPTIONS, type CheckedCacheOptions } from './cache.options';
import { CacheStore } from './cache-store';
import { DeadGenerations, GENERATION_LENGTH } from './dead-generations';

/** Of how many tenants the generation is remembered. Others are asked for. */
const MAX_REMEMBERED = 10_000;

type Named = Pick<Tenant, 'schemaName'>;

interface Remembered {
  readonly generation: string;
  /** What the keys of the tenant's values begin with. */
  readonly prefix: string;
  readonly until: number;
}

/**
 * Each tenant's values have a generation in their keys: a random word that is kept in the same store. Another word, and
 * none of them is found any more, however many there are. It is never used again, so a store that loses the word, or
 * all it has, brings no old value back.
 */
@Injectable()
export class TenantGenerations {
  readonly #remembered = new LRUCache<string, Remembered>({ max: MAX_REMEMBERED });
  readonly #asking = new Map<string, Promise<string | undefined>>();

  constructor(
    private readonly store: CacheStore,
    private readonly dead: DeadGenerations,
    @Inject(CACHE_OPTIONS) private readonly options: CheckedCacheOptions,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {}

  /** The prefix of a tenant's keys, if it need not be asked for. */
  remembered({ schemaName }: Named): string | undefined {
    // Without a use counting: whoever is used is remembered anew when its time is over.
    const known = this.#remembered.peek(schemaName);
    return known && known.until > this.clock.now() ? known.prefix : undefined;
  }

  /** The prefix of a tenant's keys. `undefined` when the store is away. */
  find({ schemaName }: Named): Promise<string | undefined> {
    if (this.store.isPaused) return Promise.resolve(undefined);
    const asking =
      this.#asking.get(schemaName) ??
      this.#ask(schemaName)
        .catch(() => undefined)
        .finally(() => this.#asking.delete(schemaName));
    this.#asking.set(schemaName, asking);
    return asking;
  }

  /** The same. @throws TenancyUnavailableError when the store is away */
  async require(tenant: Named): Promise<string> {
    const prefix = this.remembered(tenant) ?? (await this.find(tenant));
    if (prefix === undefined) throw new TenancyUnavailableError('The cache');
    return prefix;
  }

  /**
   * Gives the tenant another generation.
   *
   * @throws TenancyUnavailableError when the old one may still be there
   */
  async renew({ schemaName }: Named): Promise<void> {
    const key = this.#keyOf(schemaName);
    const before = await this.store.readShared(key);
    const now = await this.#make(key);
    // Another instance may have made one at the same time: as good as ours.
    if (now === undefined || now === before) throw new TenancyUnavailableError('The cache');
    if (isGeneration(before)) this.dead.bury(before);
    this.#remember(schemaName, now);
  }

  /** Removes what was kept about a tenant that is gone. */
  async forget({ schemaName }: Named): Promise<void> {
    this.#remembered.delete(schemaName);
    await this.store.removeShared(this.#keyOf(schemaName));
  }

  async #ask(schemaName: string): Promise<string | undefined> {
    const key = this.#keyOf(schemaName);
    const found = await this.store.readShared(key);
    const generation = isGeneration(found) ? found : await this.#make(key);
    return generation === undefined ? undefined : this.#remember(schemaName, generation);
  }

  /**
   * What is kept after a new one was written. `undefined` when nothing is: most stores do not say that a write failed,
   * and with one that comes late, values would appear that nobody has checked.
   */
  async #make(key: string): Promise<string | undefined> {
    await this.store.writeShared(key, randomBytes((GENERATION_LENGTH / 4) * 3).toString('base64url'));
    const kept = await this.store.readShared(key);
    return isGeneration(kept) ? kept : undefined;
  }

  #remember(schemaName: string, generation: string): string {
    const prefix = `${this.#keyOf(schemaName)}:${generation}:${encodeURIComponent(this.options.version)}:`;
    const earlier = this.#remembered.get(schemaName)?.generation;
    if (earlier !== undefined && earlier !== generation) this.dead.bury(earlier);
    this.#remembered.set(schemaName, {
      generation,
      prefix,
      until: this.clock.now() + this.options.clearedWithinMs,
    });
    return prefix;
  }

  /** Without the version: a `clear()` is for the values of all of them. No colon can be in the name of the schema. */
  #keyOf(schemaName: string): string {
    return `${this.options.keyPrefix}:${encodeURIComponent(schemaName)}`;
  }
}

function isGeneration(value: unknown): value is string {
  return typeof value === 'string' && value.length === GENERATION_LENGTH && /^[\w-]+$/.test(value);
}
