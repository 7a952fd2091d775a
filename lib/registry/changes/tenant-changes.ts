/** Hears of changes. The methods are called at once, in the order in which the changes were committed. */
export interface TenantChangeSubscriber {
  /** A tenant, or one of its domains, was made, changed or removed; without an id, any of them. */
  changed(id?: string): void;
  /** A tenant has another place, or a move of it has come further. It is told of by `changed`, too, where its row was changed. */
  moved?(id: string): void;
  /** The feed begins (again). What was changed before this moment may never be told. */
  begun(): void;
}

/** Tells an instance of the application which tenants were changed, whoever changed them. */
export abstract class TenantChangeFeed {
  /**
   * The latest moment, as `Clock.now()` counts, of which it is known that everything committed before it has been told,
   * back to the last `begun`. Minus infinity while nothing is known.
   */
  abstract readonly provenAt: number;

  abstract subscribe(subscriber: TenantChangeSubscriber): void;
}

/** For a store without a change feed: look-ups are cached for a moment only. */
export class NoTenantChanges extends TenantChangeFeed {
  readonly provenAt = -Infinity;

  subscribe(): void {}
}
