import { LRUCache } from 'lru-cache';
import type { Tenant } from '../tenant/tenant';

/** A tenant under one of its names. */
export interface Remembered {
  readonly tenant: Tenant;
  /** When the store was asked. */
  readonly askedAt: number;
}

/** Tenants by the names they were asked by: at most `max` names, the latest used. */
export class RememberedTenants {
  readonly #byKey: LRUCache<string, Remembered>;
  /** To forget one without looking at all: thousands may be changed in one statement. */
  readonly #keysById = new Map<string, Set<string>>();

  constructor(max: number) {
    this.#byKey = new LRUCache<string, Remembered>({
      max,
      dispose: ({ tenant }, key) => this.#unlist(tenant, key),
    });
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Remembered | undefined {
    return this.#byKey.get(key);
  }

  set(key: string, remembered: Remembered): void {
    this.#byKey.set(key, remembered);
    const { id } = remembered.tenant;
    const keys = this.#keysById.get(id);
    if (keys) keys.add(key);
    else this.#keysById.set(id, new Set([key]));
  }

  delete(key: string): void {
    this.#byKey.delete(key);
  }

  /** Drops a tenant under all its names. */
  forget(id: string): void {
    for (const key of [...(this.#keysById.get(id) ?? [])]) this.#byKey.delete(key);
  }

  /** Puts another in the place of each. */
  replaceEach(change: (remembered: Remembered) => Remembered): void {
    for (const [key, remembered] of [...this.#byKey.entries()].reverse()) this.set(key, change(remembered));
  }

  clear(): void {
    this.#byKey.clear();
  }

  #unlist({ id }: Tenant, key: string): void {
    const keys = this.#keysById.get(id);
    if (keys?.delete(key) && keys.size === 0) this.#keysById.delete(id);
  }
}
