import type { Clock } from '../../common/clock';
import type { TenantChangeFeed } from '../changes/tenant-changes';

/**
 * How long an answer is taken for true without word that nothing changed: of the second within which a change is felt
 * everywhere, what is left when the store has been asked anew.
 */
const MAX_UNPROVEN_MS = 800;

/** Tells from when a question was asked, and from what the change feed has proven since, whether its answer still counts. */
export class AnswerTrust {
  /** Answers to questions from before are from before the feed began. */
  #feedBeganAt = -Infinity;

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly feed: Pick<TenantChangeFeed, 'provenAt'>,
  ) {}

  /** The feed begins (again): it vouches for no answer to an earlier question. */
  beginAnew(): void {
    this.#feedBeganAt = this.clock.now();
  }

  isFresh(askedAt: number, ttlMs: number): boolean {
    const now = this.clock.now();
    if (askedAt < this.#feedBeganAt || now - askedAt > ttlMs) return false;
    return now - this.knownTrueAt(askedAt) <= MAX_UNPROVEN_MS;
  }

  /** Whether an answer that nobody has forgotten was certainly true at some time within the last `ms`. */
  wasTrueWithin(askedAt: number, ms: number): boolean {
    return this.clock.now() - this.knownTrueAt(askedAt) <= ms;
  }

  /** The last moment at which such an answer was certainly true. */
  knownTrueAt(askedAt: number): number {
    return askedAt < this.#feedBeganAt ? askedAt : Math.max(askedAt, this.feed.provenAt);
  }
}
