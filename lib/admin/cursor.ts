import { ValidationFailedError } from '../common/tenancy.errors';
import { isUuid } from '../tenant/uuid';

/** Opaque to callers, so that what it holds may change. */
export function encodeCursor(lastId: string): string {
  return Buffer.from(lastId).toString('base64url');
}

/** Throws `ValidationFailedError` for what `encodeCursor` never made. */
export function decodeCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (!isUuid(id) || encodeCursor(id) !== cursor) {
    throw new ValidationFailedError([
      { field: 'cursor', message: 'must be the nextCursor of an earlier page' },
    ]);
  }
  return id;
}
