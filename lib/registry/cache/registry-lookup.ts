import { LRUCache } from 'lru-cache';
import type { Clock } from '../../common/clock';
import { TenancyUnavailableError } from '../../common/tenancy.errors';
import type { TenantChangeFeed } from '../changes/tenant-changes';
import { AnswerTrust } from './answer-trust';
import { RegistryQuestions } from './registry-questions';
import { RememberedAnswers } from './remembered-answers';
import type { LookupCacheOptions } from './lookup-cache.options';

const DEFAULT_MAX_ENTRIES = 10_000;
const DEFAULT_TTL_MS = 60_000;
const DEFAULT_STALE_IF_ERROR_MS = 60_000;

/** A name that is free now may be somebody's in a moment. */
const MAX_ABSENT_TTL_MS = 1_000;

/** A registry that hangs, as one behind a broken line does, would keep each request for the whole time of an answer. */
const MAX_WAIT_FOR_FAILING_MS = 300;

export interface RegistryLookupOptions<Name, Answer> {
  /** An answer in the place of each name, of which there are at most 500. */
  readonly askAll: (names: readonly Name[]) => Promise<readonly (Answer | undefined)[]>;
  /** Whose change makes an answer untrue. */
  readonly tenantIdOf: (answer: Answer) => string;
  readonly cache: LookupCacheOptions;
  readonly clock: Clock;
  readonly feed: TenantChangeFeed;
}

/**
 * The registry's answers, remembered. What the change feed tells is forgotten at once; an answer that the feed cannot
 * vouch for counts for 0.8 s. One question is asked once, however many requests wait for it.
 */
export class RegistryLookup<Name, Answer extends object> {
  readonly #clock: Clock;
  readonly #trust: AnswerTrust;
  readonly #ttlMs: number;
  readonly #staleIfErrorMs: number;
  readonly #found: RememberedAnswers<Answer>;
  /** Names of nobody, with the time of asking. Apart, so that a flood of guesses does not push out what there is. */
  readonly #absent: LRUCache<string, number>;
  readonly #questions: RegistryQuestions<Name, Answer>;

  constructor({ askAll, tenantIdOf, cache, clock, feed }: RegistryLookupOptions<Name, Answer>) {
    const { maxEntries = DEFAULT_MAX_ENTRIES } = cache;
    this.#clock = clock;
    this.#trust = new AnswerTrust(clock, feed);
    this.#ttlMs = cache.ttlMs ?? DEFAULT_TTL_MS;
    this.#staleIfErrorMs = cache.staleIfErrorMs ?? DEFAULT_STALE_IF_ERROR_MS;
    this.#found = new RememberedAnswers(maxEntries, tenantIdOf);
    this.#absent = new LRUCache({ max: maxEntries });
    this.#questions = new RegistryQuestions(askAll, clock, (key, answer, askedAt) =>
      this.#remember(key, answer, askedAt),
    );
    feed.subscribe({
      changed: (tenantId) => (tenantId === undefined ? this.clear() : this.forget(tenantId)),
      begun: () => this.#beginAnew(),
    });
  }

  /**
   * What the registry says to a name, which is remembered by `key`. While it is unavailable, what was found before is
   * given for `staleIfErrorMs` more.
   *
   * @throws TenancyUnavailableError when it cannot answer, or 10,000 other names wait; the next call asks again
   */
  find(key: string, name: Name): Promise<Answer | undefined> {
    const known = this.#found.get(key);
    if (known && this.#trust.isFresh(known.askedAt, this.#ttlMs)) return Promise.resolve(known.answer);
    const absentAt = this.#absent.get(key);
    if (absentAt !== undefined && this.#trust.isFresh(absentAt, Math.min(this.#ttlMs, MAX_ABSENT_TTL_MS)))
      return Promise.resolve(undefined);
    return known && this.#trust.wasTrueWithin(known.askedAt, this.#staleIfErrorMs)
      ? this.#refresh(key, name, known.answer)
      : this.#questions.ask(key, name);
  }

  /** The answer if it is remembered, at once; `undefined` says nothing. */
  remembered(key: string): Answer | undefined {
    const found = this.#found.get(key);
    return found && this.#trust.isFresh(found.askedAt, this.#ttlMs) ? found.answer : undefined;
  }

  /** Drops what is remembered of a tenant, and every "nobody", since what was changed may have a new name. */
  forget(tenantId: string): void {
    this.#questions.outdate();
    this.#forgetAbsent();
    this.#found.forget(tenantId);
  }

  /** Drops everything that is remembered. */
  clear(): void {
    this.#questions.outdate();
    this.#forgetAbsent();
    this.#found.clear();
  }

  /** How many names are held: at most `maxEntries` of found ones and of nobody's, and 10,500 waiting. */
  get size(): { readonly found: number; readonly absent: number; readonly waiting: number } {
    return { found: this.#found.size, absent: this.#absent.size, waiting: this.#questions.size };
  }

  /** Asks for what was found before. A registry that failed the last time is not waited for long. */
  #refresh(key: string, name: Name, before: Answer): Promise<Answer | undefined> {
    const answer = this.#questions.ask(key, name).catch((error: unknown) => {
      if (error instanceof TenancyUnavailableError) return before;
      throw error;
    });
    if (!this.#questions.isFailing) return answer;
    return new Promise((resolve, reject) => {
      const callOff = this.#clock.after(MAX_WAIT_FOR_FAILING_MS, () => resolve(before));
      void answer.then(resolve, reject).finally(callOff);
    });
  }

  /** What was asked before may have changed unheard. It is kept, but only for the time when the registry is away. */
  #beginAnew(): void {
    this.#questions.outdate();
    this.#forgetAbsent();
    this.#found.replaceEach(({ answer, askedAt }) => ({ answer, askedAt: this.#trust.knownTrueAt(askedAt) }));
    this.#trust.beginAnew();
  }

  #forgetAbsent(): void {
    // Emptying makes room for all entries anew, full or not.
    if (this.#absent.size > 0) this.#absent.clear();
  }

  #remember(key: string, answer: Answer | undefined, askedAt: number): void {
    if (this.#ttlMs === 0) return;
    if (answer) {
      this.#absent.delete(key);
      this.#found.set(key, { answer, askedAt });
    } else {
      this.#found.delete(key);
      this.#absent.set(key, askedAt);
    }
  }
}
