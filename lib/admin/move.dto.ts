import { HasFieldsOf, IfGiven, IsIn, IsObject } from '../http/validation';
import { type Move, MOVE_HOWS, type MoveHow, type MoveProgress, type MoveVerification } from '../moves/move';
import { PlaceBody } from './tenant.dto';

/** What the place leaves out stays as it is. */
export class MoveTenantBody {
  @IsObject()
  @HasFieldsOf(PlaceBody)
  place!: PlaceBody;

  @IfGiven()
  @IsIn(MOVE_HOWS)
  how?: MoveHow;

  @IfGiven()
  @IsIn(['count', 'rows'])
  verify?: MoveVerification;
}

type Missing = 'fallback' | 'actor' | 'reason' | 'cancelledBy' | 'finishedAt' | 'dropAfter' | 'droppedAt';

/** The record of a move as the API shows it: what it does not have is `null`. */
export type MoveView = Omit<Move, Missing | 'progress'> & {
  readonly [Key in Missing]: NonNullable<Move[Key]> | null;
} & { readonly progress: Omit<MoveProgress, 'lagBytes'> & { readonly lagBytes: number | null } };

export interface MovesView {
  readonly data: readonly MoveView[];
}

export function toMoveView(move: Move): MoveView {
  const { fallback, actor, reason, cancelledBy, finishedAt, dropAfter, droppedAt } = move;
  return {
    ...move,
    progress: { ...move.progress, lagBytes: move.progress.lagBytes ?? null },
    fallback: fallback ?? null,
    actor: actor ?? null,
    reason: reason ?? null,
    cancelledBy: cancelledBy ?? null,
    finishedAt: finishedAt ?? null,
    dropAfter: dropAfter ?? null,
    droppedAt: droppedAt ?? null,
  };
}
