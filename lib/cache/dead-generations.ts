import { setImmediate } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleDestroy, Optional } from '@nestjs/common';
import { backgroundClock, CLOCK, type Clock } from '../common/clock';
import { CACHE_OPTIONS, type CheckedCacheOptions } from './cache.options';
import { CacheStore } from './cache-store';

/** One pass is for all that were cleared in this time. */
const SWEEP_AFTER_MS = 1_000;

/** Keys that are looked at before other work has its turn. */
const KEYS_AT_ONCE = 1_000;

export const GENERATION_LENGTH = 16;

/**
 * Frees what `clear()` leaves in the maps of this process: Keyv would keep it until somebody asks for it, which nobody can any
 * more. Other stores drop by themselves what is too old or not used.
 */
@Injectable()
export class DeadGenerations implements OnModuleDestroy {
  #dead = new Set<string>();
  #callOff?: () => void;

  constructor(
    private readonly store: CacheStore,
    @Inject(CACHE_OPTIONS) private readonly options: CheckedCacheOptions,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {}

  onModuleDestroy(): void {
    this.#callOff?.();
  }

  bury(generation: string): void {
    if (this.store.maps.length === 0) return;
    this.#dead.add(generation);
    this.#callOff ??= this.clock.after(SWEEP_AFTER_MS, () => void this.#sweep());
  }

  async #sweep(): Promise<void> {
    const dead = this.#dead;
    this.#dead = new Set();
    this.#callOff = undefined;
    let looked = 0;
    for (const map of this.store.maps)
      for (const key of map.keys()) {
        if (dead.has(this.#generationIn(key))) map.delete(key);
        looked += 1;
        if (looked % KEYS_AT_ONCE === 0) await setImmediate();
      }
  }

  /** Keyv may have put a namespace in front of the key. */
  #generationIn(key: string): string {
    const head = `${this.options.keyPrefix}:`;
    const begin = key.indexOf(':', key.indexOf(head) + head.length) + 1;
    return key.slice(begin, begin + GENERATION_LENGTH);
  }
}
