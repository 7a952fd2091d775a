import type { OnModuleDestroy, OnModuleInit } from '@nestjs/common';

/** Hears of changes. The methods are called at once, in the order in which the changes were committed. */
export interface TenantChangeSubscriber {
  /** A tenant, or one of its domains, was made, changed or removed; without an id, any of them. */
  changed(id?: string): void;
  /** A tenant has another place, or a move of it has come further. It is told of by `changed`, too, where its row was changed. */
  moved?(id: string): void;
  /** The feed begins (again). What was changed before this moment may never be told. */
  begun(): void;
}

/**
 * Tells an instance of the application which tenants were changed, whoever changed them. One that needs to be started and
 * ended has `onModuleInit()` and `onModuleDestroy()`.
 */
export abstract class TenantChangeFeed {
  /**
   * The latest moment, as `Clock.now()` counts, of which it is known that everything committed before it has been told,
   * back to the last `begun`. Minus infinity while nothing is known.
   */
  abstract readonly provenAt: number;

  abstract subscribe(subscriber: TenantChangeSubscriber): void;
}

/**
 * Two feeds as one: what the store tells of its tenants, and what PostgreSQL tells of the keys and settings that are in our
 * tables wherever the tenants are. It has proven only what both have.
 */
export class JoinedTenantChanges extends TenantChangeFeed implements OnModuleInit, OnModuleDestroy {
  constructor(
    private readonly feeds: readonly (TenantChangeFeed & Partial<OnModuleInit & OnModuleDestroy>)[],
  ) {
    super();
  }

  get provenAt(): number {
    return Math.min(...this.feeds.map(({ provenAt }) => provenAt));
  }

  subscribe(subscriber: TenantChangeSubscriber): void {
    for (const feed of this.feeds) feed.subscribe(subscriber);
  }

  async onModuleInit(): Promise<void> {
    for (const feed of this.feeds) await feed.onModuleInit?.();
  }

  async onModuleDestroy(): Promise<void> {
    for (const feed of this.feeds) await feed.onModuleDestroy?.();
  }
}

/** For a store without a change feed: look-ups are cached for a moment only. */
export class NoTenantChanges extends TenantChangeFeed {
  readonly provenAt = -Infinity;

  subscribe(): void {}
}
