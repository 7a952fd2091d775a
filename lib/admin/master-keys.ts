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

/** How long the last keys are used when the function cannot give newer ones. */
const MAX_STALE_MS = 5 * 60_000;
/** How long the function may take. */
const SOURCE_TIMEOUT_MS = 5_000;

/** The name of a key and what it may do. Without scopes it may do everything. */
export type FoundMasterKey = Pick<MasterKey, 'name' | 'scopes'>;

/**
 * A key as its digest. Digests all have one length, so the time of a comparison does not even reveal the length of the
 * key.
 */
interface KnownKey extends FoundMasterKey {
  readonly digest: Buffer;
}

/** Holds the current master keys. */
@Injectable()
export class MasterKeys implements OnModuleInit {
  readonly #logger = new Logger(MasterKeys.name);
  readonly #source: MasterKeySource | undefined;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  #keys: readonly KnownKey[] = [];
  /** When the current keys were requested from the function, and when it was last called, with or without success. */
  #keysFrom = -Infinity;
  #askedAt = -Infinity;
  #asking: Promise<void> | undefined;

  /** @throws MasterKeyMissingError when the options contain no usable key */
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

  /** Fails the start when the keys cannot be read. @throws MasterKeyMissingError, and the errors of the function */
  async onModuleInit(): Promise<void> {
    if (this.#source) await this.#ask(this.#source);
  }

  /**
   * The name and scopes of the key that was sent; `undefined` when there is no such key.
   *
   * @throws TenancyUnavailableError when the function has given no keys for 5 minutes
   */
  async find(sent: string): Promise<FoundMasterKey | undefined> {
    if (this.#source) await this.#refresh(this.#source);
    const digest = digestOf(sent);
    let found: FoundMasterKey | undefined;
    // It compares with all keys: if it stopped at the right one, the time would reveal which one it was.
    for (const known of this.#keys) if (timingSafeEqual(digest, known.digest)) found = known;
    return found;
  }

  /** Calls the function once, however many requests wait for it, and after a failure not before the next interval. */
  async #refresh(source: MasterKeySource): Promise<void> {
    if (this.#clock.now() - this.#askedAt >= this.#ttlMs) {
      this.#asking ??= this.#ask(source)
        .catch((error: unknown) =>
          this.#logger.error('The function masterKeys failed; the last keys are used.', error),
        )
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

/** The result of `source`. Rejects when it takes too long. */
function inTime(source: MasterKeySource, clock: Clock): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const callOff = clock.after(SOURCE_TIMEOUT_MS, () =>
      reject(new Error(`masterKeys() took longer than ${SOURCE_TIMEOUT_MS} ms.`)),
    );
    // In a chain of promises, so that an error thrown synchronously becomes a rejection, too.
    Promise.resolve().then(source).then(resolve, reject).finally(callOff);
  });
}
