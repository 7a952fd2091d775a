import type { TenantEvent } from './tenant-event';

export interface TrailFollowing {
  /** What all instances know it by, and its position is kept under. */
  readonly name: string;
  /** `system`: it gets the events of all tenants, whatever their status, and runs for none. */
  readonly as: 'system';
  /** How many events one call gets at most. */
  readonly batch: number;
}

/**
 * Calls code with the events of the trail: at least once, in order within a tenant, in one of all instances. The module for events
 * provides it, so that other modules need not know that one.
 */
export abstract class TrailFollower {
  /** Returns a function that ends it in this instance. */
  abstract follow(
    following: TrailFollowing,
    handler: (events: readonly TenantEvent[]) => Promise<void>,
  ): () => Promise<void>;
}
