import { LRUCache } from 'lru-cache';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { CLOCK, type Clock, systemClock } from '../../common/clock';
import { TenancyUnavailableError } from '../../common/tenancy.errors';
import { NoTenantChanges, TenantChangeFeed } from '../changes/tenant-changes';
import { RegistryQuestions } from './registry-questions';
import { CheckedLookupCacheOptions, type LookupCacheOptions } from './lookup-cache.options';

/** Unknown names are cached only briefly, because a tenant may take such a name at any time. */
const MAX_ABSENT_TTL_MS = 1_000;

/** A registry that hangs, as behind a broken line, would delay each request by the whole timeout. */
const MAX_WAIT_FOR_FAILING_MS = 300;

export interface RegistryLookupOptions<Name, Answer> {
  /** Returns an answer for each name, in order. There are at most 500 names. */
  readonly askAll: (names: readonly Name[]) => Promise<readonly (Answer | undefined)[]>;
  /** The tenant whose change makes an answer stale. */
  readonly tenantIdOf: (answer: Answer) => string;
  readonly cache: LookupCacheOptions;
}

/** Makes the caches of an application. All of them have its clock and hear of its changes. */
@Injectable()
export class RegistryLookups {
  constructor(
    @Optional() @Inject(CLOCK) private readonly clock: Clock = systemClock,
    @Optional() private readonly feed: TenantChangeFeed = new NoTenantChanges(),
  ) {}

  make<Name, Answer extends object>(
    options: RegistryLookupOptions<Name, Answer>,
  ): RegistryLookup<Name, Answer> {
    return new RegistryLookup(options, this.clock, this.feed);
  }
}

/**
 * A cache of the registry's answers. A change that the feed reports drops them at once. While the feed is down, an
 * answer expires after 0.8 s. The same name is looked up once, however many requests wait for it.
 */
export class RegistryLookup<Name, Answer extends object> {
  readonly #clock: Clock;
  readonly #trust: AnswerTrust;
  readonly #ttlMs: number;
  readonly #staleIfErrorMs: number;
  readonly #found: RememberedAnswers<Answer>;
  /**
   * Unknown names, with the time of the query. A cache of their own, so that a flood of guesses does not evict tenants.
   */
  readonly #absent: LRUCache<string, number>;
  readonly #questions: RegistryQuestions<Name, Answer>;

  constructor(
    { askAll, tenantIdOf, cache }: RegistryLookupOptions<Name, Answer>,
    clock: Clock,
    feed: TenantChangeFeed,
  ) {
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
   * The registry's answer for a name, cached under `key`. While the registry is unavailable, what was found before is
   * returned for `staleIfErrorMs` more.
   *
   * @throws TenancyUnavailableError when it cannot answer, or 10,000 other names wait; the next call tries again
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

  /** The cached answer; `undefined` when there is none. */
  remembered(key: string): Answer | undefined {
    const found = this.#found.get(key);
    return found && this.#trust.isFresh(found.askedAt, this.#ttlMs) ? found.answer : undefined;
  }

  /** Drops the cached answers about a tenant, and all unknown names, because the tenant may have a new name. */
  forget(tenantId: string): void {
    this.#questions.outdate();
    this.#forgetAbsent();
    this.#found.forget(tenantId);
  }

  /** Empties the cache. */
  clear(): void {
    this.#questions.outdate();
    this.#forgetAbsent();
    this.#found.clear();
  }

  /** How many names are held: at most `maxEntries` found, as many unknown, and 10,500 waiting. */
  get size(): { readonly found: number; readonly absent: number; readonly waiting: number } {
    return { found: this.#found.size, absent: this.#absent.size, waiting: this.#questions.size };
  }

  /** Looks up again what was found before. When the registry failed the last time, the wait is short. */
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

  /** Earlier answers may have changed without a notification. They are kept only for an outage of the registry. */
  #beginAnew(): void {
    this.#questions.outdate();
    this.#forgetAbsent();
    this.#found.replaceEach(({ answer, askedAt }) => ({ answer, askedAt: this.#trust.knownTrueAt(askedAt) }));
    this.#trust.beginAnew();
  }

  #forgetAbsent(): void {
    // clear() allocates the room for all entries anew, so it is not called on an empty cache.
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
 * How long an answer counts while the change feed proves nothing: the second within which a change is felt
 * everywhere, less the time that a new query takes.
 */
export const MAX_UNPROVEN_MS = 800;

/** Decides whether an answer still counts, by the time of its query and by what the change feed has proven since. */
class AnswerTrust {
  /** Answers to queries from before this moment may have missed a change. */
  #feedBeganAt = -Infinity;

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly feed: Pick<TenantChangeFeed, 'provenAt'>,
  ) {}

  /** The feed begins (again): it proves nothing about answers to earlier queries. */
  beginAnew(): void {
    this.#feedBeganAt = this.clock.now();
  }

  isFresh(askedAt: number, ttlMs: number): boolean {
    const now = this.clock.now();
    if (askedAt < this.#feedBeganAt || now - askedAt > ttlMs) return false;
    return now - this.knownTrueAt(askedAt) <= MAX_UNPROVEN_MS;
  }

  /** Whether an answer that was not dropped was certainly true at some time within the last `ms`. */
  wasTrueWithin(askedAt: number, ms: number): boolean {
    return this.clock.now() - this.knownTrueAt(askedAt) <= ms;
  }

  /** The last moment at which such an answer was certainly true. */
  knownTrueAt(askedAt: number): number {
    return askedAt < this.#feedBeganAt ? askedAt : Math.max(askedAt, this.feed.provenAt);
  }
}

/** A cached answer. */
interface Remembered<Answer> {
  readonly answer: Answer;
  /** When the registry was asked. */
  readonly askedAt: number;
}

/** Answers by name: at most `max`, the latest used. */
class RememberedAnswers<Answer extends object> {
  readonly #byKey: LRUCache<string, Remembered<Answer>>;
  /** The names of each tenant, so that dropping one does not scan all: one statement may change thousands. */
  readonly #keysByTenant = new Map<string, Set<string>>();

  /** `tenantIdOf` gives the tenant whose change makes an answer stale. */
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

  /** Drops all answers about a tenant. */
  forget(tenantId: string): void {
    for (const key of [...(this.#keysByTenant.get(tenantId) ?? [])]) this.#byKey.delete(key);
  }

  /** Replaces each answer. */
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
