import { LRUCache } from 'lru-cache';

/** An answer to one question. */
export interface Remembered<Answer> {
  readonly answer: Answer;
  /** When the registry was asked. */
  readonly askedAt: number;
}

/** Answers by the names they were asked by: at most `max`, the latest used. */
export class RememberedAnswers<Answer extends object> {
  readonly #byKey: LRUCache<string, Remembered<Answer>>;
  /** To forget one tenant's without looking at all: thousands may be changed in one statement. */
  readonly #keysByTenant = new Map<string, Set<string>>();

  /** `tenantIdOf` says whose change makes an answer untrue. */
  constructor(
    max: number,
    private readonly tenantIdOf: (answer: Answer) => string,
  ) {
    this.#byKey = new LRUCache<string, Remembered<Answer>>({
      max,
      dispose: ({ answer }, key) => this.#unlist(answer, key),
    });
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Remembered<Answer> | undefined {
    return this.#byKey.get(key);
  }

  set(key: string, remembered: Remembered<Answer>): void {
    this.#byKey.set(key, remembered);
    const tenantId = this.tenantIdOf(remembered.answer);
    const keys = this.#keysByTenant.get(tenantId);
    if (keys) keys.add(key);
    else this.#keysByTenant.set(tenantId, new Set([key]));
  }

  delete(key: string): void {
    this.#byKey.delete(key);
  }

  /** Drops all that is remembered of a tenant. */
  forget(tenantId: string): void {
    for (const key of [...(this.#keysByTenant.get(tenantId) ?? [])]) this.#byKey.delete(key);
  }

  /** Puts another in the place of each. */
  replaceEach(change: (remembered: Remembered<Answer>) => Remembered<Answer>): void {
    for (const [key, remembered] of [...this.#byKey.entries()].reverse()) this.set(key, change(remembered));
  }

  clear(): void {
    this.#byKey.clear();
  }

  #unlist(answer: Answer, key: string): void {
    const tenantId = this.tenantIdOf(answer);
    const keys = this.#keysByTenant.get(tenantId);
    if (keys?.delete(key) && keys.size === 0) this.#keysByTenant.delete(tenantId);
  }
}
