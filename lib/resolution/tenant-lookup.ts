import { Inject, Injectable, Optional } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CLOCK, type Clock, systemClock } from '../common/clock';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { normalizeClaim } from '../tenant/claim';
import type { Tenant, TenantClaim } from '../tenant/tenant';
import { NoTenantChanges, TenantChangeFeed } from '../tenant/tenant-changes';
import { TenantStore } from '../tenant/tenant.store';
import { AnswerTrust } from './answer-trust';
import { type ClaimName, isMalformedKey, keyOf, nameOf, standInFor } from './claim-name';
import { RegistryQuestions } from './registry-questions';
import { RememberedTenants } from './remembered-tenants';
import { RESOLUTION_OPTIONS, type ResolutionOptions } from './resolution.options';

const DEFAULT_MAX_ENTRIES = 10_000;
const DEFAULT_TTL_MS = 60_000;
const DEFAULT_STALE_IF_ERROR_MS = 60_000;

/** A name that is free now may be a tenant's in a moment. */
const MAX_ABSENT_TTL_MS = 1_000;

/** A store that hangs, as one behind a broken line does, would keep each request for the whole time of an answer. */
const MAX_WAIT_FOR_FAILING_MS = 300;

/**
 * The registry's answers, remembered. What the change feed tells is forgotten at once; an answer that the feed cannot
 * vouch for counts for 0.8 s. One question is asked once, however many requests wait for it.
 */
@Injectable()
export class TenantLookup {
  readonly #clock: Clock;
  readonly #trust: AnswerTrust;
  readonly #ttlMs: number;
  readonly #staleIfErrorMs: number;
  readonly #found: RememberedTenants;
  /** Names of nobody, with the time of asking. Apart, so that a flood of guesses does not push out the tenants. */
  readonly #absent: LRUCache<string, number>;
  readonly #questions: RegistryQuestions;

  constructor(
    store: TenantStore,
    @Inject(RESOLUTION_OPTIONS) { cache = {} }: ResolutionOptions,
    @Optional() @Inject(CLOCK) clock: Clock = systemClock,
    @Optional() feed: TenantChangeFeed = new NoTenantChanges(),
  ) {
    const { maxEntries = DEFAULT_MAX_ENTRIES } = cache;
    this.#clock = clock;
    this.#trust = new AnswerTrust(clock, feed);
    this.#ttlMs = cache.ttlMs ?? DEFAULT_TTL_MS;
    this.#staleIfErrorMs = cache.staleIfErrorMs ?? DEFAULT_STALE_IF_ERROR_MS;
    this.#found = new RememberedTenants(maxEntries);
    this.#absent = new LRUCache({ max: maxEntries });
    this.#questions = new RegistryQuestions(store, clock, (key, tenant, askedAt) =>
      this.#remember(key, tenant, askedAt),
    );
    feed.subscribe({
      changed: (id) => (id === undefined ? this.clear() : this.forget({ id })),
      begun: () => this.#beginAnew(),
    });
  }

  /**
   * The tenant a claim names, whatever its status. A malformed value names nobody; it takes as long as an unknown one.
   *
   * While the store is unavailable, a tenant that was found before is given for `staleIfErrorMs` more.
   *
   * @throws TenancyUnavailableError when the store cannot answer, or 10,000 other names wait; the next call asks again
   */
  find(claim: TenantClaim): Promise<Tenant | undefined> {
    const name = nameOf(claim);
    const known = this.#found.get(name.key);
    if (known && this.#trust.isFresh(known.askedAt, this.#ttlMs)) return Promise.resolve(known.tenant);
    const absentAt = this.#absent.get(name.key);
    if (absentAt !== undefined && this.#trust.isFresh(absentAt, Math.min(this.#ttlMs, MAX_ABSENT_TTL_MS)))
      return Promise.resolve(undefined);
    return known && this.#trust.wasTrueWithin(known.askedAt, this.#staleIfErrorMs)
      ? this.#refresh(name, known.tenant)
      : this.#ask(name);
  }

  /** The tenant a claim names if it is remembered, at once; `undefined` says nothing. */
  remembered(claim: TenantClaim): Tenant | undefined {
    const known = normalizeClaim(claim);
    const found = known && this.#found.get(keyOf(known));
    return found && this.#trust.isFresh(found.askedAt, this.#ttlMs) ? found.tenant : undefined;
  }

  /** Drops what is remembered of a tenant, and every "nobody", since a changed tenant may have a new name. */
  forget({ id }: Pick<Tenant, 'id'>): void {
    this.#questions.outdate();
    this.#forgetAbsent();
    this.#found.forget(id);
  }

  /** Drops everything that is remembered. */
  clear(): void {
    this.#questions.outdate();
    this.#forgetAbsent();
    this.#found.clear();
  }

  /** How many names are held: at most `maxEntries` of tenants and of nobody, and 10,500 waiting. */
  get size(): { readonly tenants: number; readonly absent: number; readonly waiting: number } {
    return { tenants: this.#found.size, absent: this.#absent.size, waiting: this.#questions.size };
  }

  async #ask({ key, by, claim }: ClaimName): Promise<Tenant | undefined> {
    const tenant = await this.#questions.ask(key, claim ?? standInFor(by));
    return claim && tenant;
  }

  /** Asks for a tenant that was found before. A store that failed the last time is not waited for long. */
  #refresh(name: ClaimName, before: Tenant): Promise<Tenant | undefined> {
    const answer = this.#ask(name).catch((error: unknown) => {
      if (error instanceof TenancyUnavailableError) return before;
      throw error;
    });
    if (!this.#questions.isFailing) return answer;
    return new Promise((resolve, reject) => {
      const callOff = this.#clock.after(MAX_WAIT_FOR_FAILING_MS, () => resolve(before));
      void answer.then(resolve, reject).finally(callOff);
    });
  }

  /** What was asked before may have changed unheard. It is kept, but only for the time when the store is away. */
  #beginAnew(): void {
    this.#questions.outdate();
    this.#forgetAbsent();
    this.#found.replaceEach(({ tenant, askedAt }) => ({ tenant, askedAt: this.#trust.knownTrueAt(askedAt) }));
    this.#trust.beginAnew();
  }

  #forgetAbsent(): void {
    // Emptying makes room for all entries anew, full or not.
    if (this.#absent.size > 0) this.#absent.clear();
  }

  #remember(key: string, tenant: Tenant | undefined, askedAt: number): void {
    if (this.#ttlMs === 0) return;
    // For a malformed claim another name was asked for: the answer says nothing of a tenant.
    if (tenant && !isMalformedKey(key)) {
      this.#absent.delete(key);
      this.#found.set(key, { tenant, askedAt });
    } else {
      this.#found.delete(key);
      this.#absent.set(key, askedAt);
    }
  }
}
