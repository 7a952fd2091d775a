import { Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { backgroundClock, type Clock } from '../../common/clock';
import { TenantChangeFeed, type TenantChangeSubscriber } from './tenant-changes';
import type { ChangesSession, ChangesSessionEvents } from './tenant-changes-session';

/** The pause before the second try. It doubles with each further try. */
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;

/** A restart of PostgreSQL is over by then. A longer outage is logged. */
const FAILURES_UNTIL_WARNING = 5;

/**
 * Hears of changed tenants, for as long as the module lives, by one session after another. It neither delays the start nor fails it: while
 * there is no connection that hears, nothing is proven, and the next is tried after at most 10 s.
 */
export class TenantChangesListener extends TenantChangeFeed implements OnModuleInit, OnModuleDestroy {
  provenAt = -Infinity;
  readonly #logger = new Logger('Tenancy');
  readonly #subscribers: TenantChangeSubscriber[] = [];
  #session?: ChangesSession;
  #running?: Promise<void>;
  #isStopped = false;
  #failures = 0;
  #wake = (): void => undefined;

  /** `random` gives 0 to 1, so that instances that lost the same server do not all come back at once. */
  constructor(
    private readonly open: (events: ChangesSessionEvents, clock: Clock) => ChangesSession,
    private readonly clock: Clock = backgroundClock,
    private readonly random: () => number = Math.random,
  ) {
    super();
  }

  subscribe(subscriber: TenantChangeSubscriber): void {
    this.#subscribers.push(subscriber);
  }

  onModuleInit(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the connection is closed. */
  async onModuleDestroy(): Promise<void> {
    this.#isStopped = true;
    this.#session?.close();
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#session = this.open(this.#events(), this.clock);
      const reason = await this.#session.run();
      if (this.#isStopped) return;
      this.#failures += 1;
      if (this.#failures === FAILURES_UNTIL_WARNING) this.#warn(reason);
      await this.#pause();
    }
  }

  #events(): ChangesSessionEvents {
    return {
      begun: () => this.#subscribers.forEach((subscriber) => subscriber.begun()),
      changed: (id?: string) => this.#subscribers.forEach((subscriber) => subscriber.changed(id)),
      moved: (id: string) => this.#subscribers.forEach((subscriber) => subscriber.moved?.(id)),
      proven: (sentAt: number) => {
        this.provenAt = sentAt;
        if (this.#failures >= FAILURES_UNTIL_WARNING) this.#logger.log('Changes of tenants are heard again.');
        this.#failures = 0;
      },
    };
  }

  #pause(): Promise<void> {
    const longest = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#failures - 1));
    return new Promise((resolve) => {
      const callOff = this.clock.after(longest * (0.5 + this.random() / 2), resolve);
      this.#wake = () => {
        callOff();
        resolve();
      };
    });
  }

  #warn(reason: unknown): void {
    const { message = reason } = (reason ?? {}) as { readonly message?: unknown };
    this.#logger.warn(
      `Changes of tenants made by other instances cannot be heard (${String(message)}). Look-ups are remembered for less than a ` +
        'second until they can; it is tried again every few seconds.',
    );
  }
}
