import { LRUCache } from 'lru-cache';
import type { Clock } from '../../common/clock';
import { TenancyUnavailableError } from '../../common/tenancy.errors';
import type { TenantChangeFeed } from '../changes/tenant-changes';
import { RegistryQuestions } from './registry-questions';
import { CheckedLookupCacheOptions, type LookupCacheOptions } from './lookup-cache.options';

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
    const { maxEntries, ttlMs, staleIfErrorMs } = { ...new CheckedLookupCacheOptions(), ...cache };
    this.#clock = clock;
    this.#trust = new AnswerTrust(clock, feed);
    this.#ttlMs = ttlMs;
    this.#staleIfErrorMs = staleIfErrorMs;
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

/**
 * How long an answer is taken for true without word that nothing changed: of the second within which a change is felt
 * everywhere, what is left when the store has been asked anew.
 */
const MAX_UNPROVEN_MS = 800;

/** Tells from when a question was asked, and from what the change feed has proven since, whether its answer still counts. */
class AnswerTrust {
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

/** An answer to one question. */
interface Remembered<Answer> {
  readonly answer: Answer;
  /** When the registry was asked. */
  readonly askedAt: number;
}

/** Answers by the names they were asked by: at most `max`, the latest used. */
class RememberedAnswers<Answer extends object> {
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
