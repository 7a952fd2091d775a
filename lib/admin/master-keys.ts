import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, Logger, type OnModuleInit, Optional } from '@nestjs/common';
import { type Clock, CLOCK, systemClock } from '../common/clock';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import { MasterKeyMissingError } from './admin.errors';
import {
  ADMIN_OPTIONS,
  type CheckedAdminOptions,
  type MasterKey,
  type MasterKeySource,
} from './admin.options';
import { checkMasterKey, checkMasterKeys } from './check-master-keys';

/** How long keys hold when newer ones cannot be had. */
const MAX_STALE_MS = 5 * 60_000;
/** How long a function may take to give them. */
const SOURCE_TIMEOUT_MS = 5_000;

/** Whose a key is, and what it may do; without scopes all. */
export type FoundMasterKey = Pick<MasterKey, 'name' | 'scopes'>;

/** A key as it is compared: digests have one length, so the time of a comparison says nothing, not even how long it is. */
interface KnownKey extends FoundMasterKey {
  readonly digest: Buffer;
}

/** The master keys of the moment. */
@Injectable()
export class MasterKeys implements OnModuleInit {
  readonly #logger = new Logger(MasterKeys.name);
  readonly #source: MasterKeySource | undefined;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  #keys: readonly KnownKey[] = [];
  /** When the keys were asked for that are in use, and when anything was asked for, in vain or not. */
  #keysFrom = -Infinity;
  #askedAt = -Infinity;
  #asking: Promise<void> | undefined;

  /** @throws MasterKeyMissingError */
  constructor(
    @Inject(ADMIN_OPTIONS) { masterKey, masterKeys, masterKeysTtlMs }: CheckedAdminOptions,
    @Optional() @Inject(CLOCK) clock: Clock = systemClock,
  ) {
    if (masterKey !== undefined && masterKeys !== undefined) {
      throw new MasterKeyMissingError('both masterKey and masterKeys; leave one out');
    }
    this.#clock = clock;
    this.#ttlMs = masterKeysTtlMs;
    if (typeof masterKeys === 'function') this.#source = masterKeys;
    else this.#use(masterKeys === undefined ? checkMasterKey(masterKey) : checkMasterKeys(masterKeys));
  }

  /** Keys that cannot be had at start fail it. @throws MasterKeyMissingError, and whatever the function throws */
  async onModuleInit(): Promise<void> {
    if (this.#source) await this.#ask(this.#source);
  }

  /**
   * Whose the key is that was sent; `undefined` when it is none.
   *
   * @throws TenancyUnavailableError when the keys could not be had for 5 minutes
   */
  async find(sent: string): Promise<FoundMasterKey | undefined> {
    if (this.#source) await this.#refresh(this.#source);
    const digest = digestOf(sent);
    let found: FoundMasterKey | undefined;
    // All of them, always: who stopped at the right one would tell by the time which one it was.
    for (const known of this.#keys) if (timingSafeEqual(digest, known.digest)) found = known;
    return found;
  }

  /** Asks once, however many requests wait for it; after a failure not again before its time. */
  async #refresh(source: MasterKeySource): Promise<void> {
    if (this.#clock.now() - this.#askedAt >= this.#ttlMs) {
      this.#asking ??= this.#ask(source)
        .catch((error: unknown) => this.#logger.error('The master keys could not be had.', error))
        .finally(() => (this.#asking = undefined));
    }
    await this.#asking;
    if (this.#clock.now() - this.#keysFrom > Math.max(MAX_STALE_MS, this.#ttlMs)) {
      throw new TenancyUnavailableError('The source of the master keys');
    }
  }

  async #ask(source: MasterKeySource): Promise<void> {
    const now = this.#clock.now();
    this.#askedAt = now;
    this.#use(checkMasterKeys(await inTime(source, this.#clock)));
    this.#keysFrom = now;
  }

  #use(keys: readonly MasterKey[]): void {
    this.#keys = keys.map(({ name, key, scopes }) => ({ name, scopes, digest: digestOf(key) }));
  }
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** What `source` gives. A rejection when that takes too long. */
function inTime(source: MasterKeySource, clock: Clock): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const callOff = clock.after(SOURCE_TIMEOUT_MS, () =>
      reject(new Error(`masterKeys() took longer than ${SOURCE_TIMEOUT_MS} ms.`)),
    );
    // In a chain, so that what it throws at once is a rejection as well.
    Promise.resolve().then(source).then(resolve, reject).finally(callOff);
  });
}
