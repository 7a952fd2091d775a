import type { Place } from '../placement/place';

/** In the order in which a move passes through them; `failed` may follow any before `switching`. */
export const MOVE_STATES = [
  'planned',
  'copying',
  'following',
  'fencing',
  'switching',
  'cleaning',
  'done',
  'failed',
] as const;

/**
 * How far a move is. `copying`: its rows are copied; when `how` is `stop`, its writes wait. `following`: only online; what was
 * written since the copy began is done at the new place, too. `fencing`: its schema at the old place is about to be put away, and
 * new work waits. `switching`: it is put away, and the registry is about to name the new place. `cleaning`: the
 * new place serves.
 */
export type MoveState = (typeof MOVE_STATES)[number];

/**
 * `online`: the tenant's writes go on while its rows are copied, and reach the new place by logical replication. `stop`: they wait
 * until the rows are copied.
 */
export const MOVE_HOWS = ['online', 'stop'] as const;

export type MoveHow = (typeof MOVE_HOWS)[number];

/** How the copy is verified: by structure, sequences and numbers of rows; `rows`: by a hash of all rows besides. */
export type MoveVerification = 'count' | 'rows';

export interface MoveProgress {
  /** Tables that were copied. */
  readonly tables: number;
  /** Of how many; 0 while that is not known. */
  readonly ofTables: number;
  /** Rows that were copied. */
  readonly rows: number;
  /** While it is `following`: how many bytes of the old server's log the new place has not told to be done. Every two seconds. */
  readonly lagBytes?: number;
}

/** The record of a move. All times are those of the registry's clock. */
export interface Move {
  readonly id: string;
  readonly tenantId: string;
  readonly schemaName: string;
  readonly from: Place;
  readonly to: Place;
  readonly how: MoveHow;
  /** Why it is not online, when it was not asked to be stopped. */
  readonly fallback: string | undefined;
  readonly verify: MoveVerification;
  readonly state: MoveState;
  readonly actor: string | undefined;
  /** Why it has failed. */
  readonly reason: string | undefined;
  readonly cancelledBy: string | undefined;
  readonly progress: MoveProgress;
  /** The host and the process that works on it, for people. */
  readonly worker: string;
  readonly heartbeatAt: Date;
  readonly startedAt: Date;
  /** Since when it has its state. */
  readonly stateAt: Date;
  /** `undefined` while it is under way. */
  readonly finishedAt: Date | undefined;
  /** When what is left at the place that is not used is dropped: the old one, or after a failure the new one. */
  readonly dropAfter: Date | undefined;
  readonly droppedAt: Date | undefined;
}

/** The part of a schema's comment for people, before the mark, while it belongs to a move. */
export function moveComment({ id }: Pick<Move, 'id'>): string {
  return `move ${id}`;
}

/** What a tenant's schema is called at the place that it has left. */
export function nameOfMoved({ schemaName }: Pick<Move, 'schemaName'>): string {
  return `moved_${schemaName}`;
}

/** What publications, slots and subscriptions of moves are called, up to the id. */
export const LINK_PREFIX = 'tenancy_move_';

/** The name of a move's publication, slot and subscription: a slot's has lower-case letters, digits and underscores only. */
export function linkName({ id }: Pick<Move, 'id'>): string {
  return LINK_PREFIX + id.replaceAll('-', '_');
}
