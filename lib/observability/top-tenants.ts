import { LRUCache } from 'lru-cache';

/** For how many tenants a score is kept. Each takes some hundred bytes. */
const MAX_SCORES = 10_000;

/** The tenants with the most requests lately. Each ranking halves the older scores. */
export class TopTenants {
  readonly #scores = new LRUCache<string, number>({ max: MAX_SCORES });
  #top: ReadonlySet<string> = new Set();

  /** @param max how many tenants can be at the top */
  constructor(private readonly max: number) {}

  add(tenantId: string, weight = 1): void {
    // While there is room for all, a tenant need not wait for a ranking.
    if (this.#top.size < this.max && !this.#top.has(tenantId)) this.#top = new Set([...this.#top, tenantId]);
    this.#scores.set(tenantId, (this.#scores.get(tenantId) ?? 0) + weight);
  }

  has(tenantId: string): boolean {
    return this.#top.has(tenantId);
  }

  /** Ranks the tenants again, and returns those that are no longer at the top. */
  rank(): string[] {
    const before = this.#top;
    const ranked = [...this.#scores.entries()].sort(([, one], [, other]) => other - one);
    this.#top = new Set(ranked.slice(0, this.max).map(([tenantId]) => tenantId));
    for (const [tenantId, score] of ranked) this.#scores.set(tenantId, score / 2);
    return [...before].filter((tenantId) => !this.#top.has(tenantId));
  }
}
