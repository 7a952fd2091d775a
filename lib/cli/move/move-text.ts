import type { Move } from '../../moves/move';
import type { Place } from '../../placement/place';
import { list } from '../table';

/** `eu`, or `eu, a database of its own`. */
export function placeText({ server, isolation }: Place): string {
  return isolation === 'database' ? `${server}, a database of its own` : server;
}

export function progressText({ progress: { tables, ofTables, rows } }: Move): string {
  return ofTables === 0 ? '–' : `${tables} of ${ofTables} tables, ${rows} rows`;
}

/** How far the new place is behind, while an online move follows. */
export function behindText({ progress: { lagBytes } }: Move): string {
  return lagBytes === undefined ? '–' : `${lagBytes} bytes`;
}

export function moveText(tenant: string, move: Move): string {
  const { fallback, reason, cancelledBy, finishedAt, dropAfter, droppedAt } = move;
  return list({
    move: move.id,
    tenant,
    state: move.state,
    from: placeText(move.from),
    to: placeText(move.to),
    how: move.how,
    ...(fallback !== undefined && { 'not online': fallback }),
    copied: progressText(move),
    ...(move.progress.lagBytes !== undefined && { behind: behindText(move) }),
    ...(reason !== undefined && { reason }),
    ...(cancelledBy !== undefined && { cancelled: `by ${cancelledBy}` }),
    ...(move.actor !== undefined && { actor: move.actor }),
    worker: move.worker,
    began: move.startedAt.toISOString(),
    ...(finishedAt && { ended: finishedAt.toISOString() }),
    // After a failure it is the copy, which is dropped at once.
    ...(move.state === 'done' && dropAfter && !droppedAt && { 'old rows until': dropAfter.toISOString() }),
  });
}
