/** Who did something: `{ type: 'operator', id: 'ops' }`, `{ type: 'api-key', id: '0193…' }`, `{ type: 'system', id: null }`. */
export interface EventActor {
  /**
   * `operator`: a master key, or a name that code gave. `api-key`: a key of the tenant. `user`: whom a token names. `support`: the session of somebody who has
   * entered the tenant to help. `cli`: a
   * user of the operating system. `system`: code that named nobody.
   */
  readonly type: string;
  readonly id: string | null;
}

/** Something that happened, as it is in the trail. */
export interface TenantEvent {
  /** UUID version 7, made when it was recorded. */
  readonly id: string;
  /** `null`: of no tenant. */
  readonly tenantId: string | null;
  /** `tenant.created`, `api-key.revoked`, `order.shipped`. */
  readonly type: string;
  readonly actor: EventActor;
  /** What it happened to, as its own module names it: the id of a key, of an order. */
  readonly subject: string | null;
  readonly data: unknown;
  /** By PostgreSQL's clock, when it was recorded. */
  readonly occurredAt: Date;
  /** Decimal digits: 1 for the tenant's first event, and one more for each that follows, without a hole. */
  readonly sequence: string;
  /** Decimal digits: greater than those of all events that could be read before, of whatever tenant. */
  readonly position: string;
  /** Hexadecimal: SHA-256 of all of the above and of `previousHash`. */
  readonly hash: string;
  /** The hash of the tenant's event before; 64 zeros for the first. */
  readonly previousHash: string;
}

/** An event that is to be recorded. The rest is given to it. */
export interface NewEvent {
  readonly tenantId: string | null;
  readonly type: string;
  /** Default: the system. */
  readonly actor?: EventActor;
  readonly subject?: string | null;
  /** JSON. */
  readonly data?: unknown;
}

export interface EventQuery {
  /** `null`: those of no tenant. Default: all. */
  readonly tenantId?: string | null;
  /** `order.shipped`, or `order.*` for all that begin with `order.`. An empty list names none. Default: all. */
  readonly types?: readonly string[];
  readonly actor?: Partial<EventActor>;
  readonly subject?: string;
  /** Those that occurred at this time or later. */
  readonly from?: Date;
  /** Those that occurred before this time. */
  readonly to?: Date;
  /** A position: those behind it. */
  readonly after?: string;
  /** A position: those ahead of it. */
  readonly before?: string;
  /** Default: the first first. */
  readonly latestFirst?: boolean;
  /** An integer from 1. */
  readonly limit: number;
}

/** The last event of a tenant. */
export interface EventHead {
  readonly sequence: string;
  readonly hash: string;
  /** What was pruned: all up to this one. `0`: nothing. */
  readonly sealedSequence: string;
  /** The hash of the last one that was pruned, from which the chain goes on. */
  readonly sealedHash: string;
}

export const SYSTEM: EventActor = { type: 'system', id: null };

/** The hash before the first event. */
export const NO_HASH = '0'.repeat(64);
