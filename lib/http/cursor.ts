import { ValidationFailedError } from '../common/tenancy.errors';
import { isUuid } from '../registry/claim';
import type { PageQuery } from './page-query';

/** A cursor is opaque to callers, so that its contents may change. */
export function encodeCursor(lastId: string): string {
  return Buffer.from(lastId).toString('base64url');
}

/** The id of a tenant in a cursor. @throws ValidationFailedError when `encodeCursor` did not make the cursor */
export function decodeCursor(cursor: string): string {
  return decode(cursor, isUuid);
}

/**
 * The id of an audit record, a `bigint` of PostgreSQL. @throws ValidationFailedError when `encodeCursor` did not make
 * the cursor
 */
export function decodeAuditCursor(cursor: string): string {
  return decode(cursor, (id) => /^[1-9]\d{0,17}$/.test(id));
}

function decode(cursor: string, isId: (id: string) => boolean): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (isId(id) && encodeCursor(id) === cursor) return id;
  throw new ValidationFailedError([
    { field: 'cursor', message: 'must be the nextCursor of an earlier page' },
  ]);
}

export interface Page<View> {
  readonly data: View[];
  /** Send it as `cursor` to get the next page; `null` on the last one. */
  readonly nextCursor: string | null;
}

/** Which rows a page is made of. */
export interface RowsOfPage {
  /** One more than the page has. */
  readonly limit: number;
  /** The id of the last row of the page before. */
  readonly afterId: string | undefined;
}

/**
 * The page that a query asks for, of rows in the order of their ids.
 *
 * @throws ValidationFailedError when `encodeCursor` did not make the cursor
 */
export async function readPage<Row extends { readonly id: string }, View>(
  query: PageQuery,
  find: (rows: RowsOfPage) => Promise<readonly Row[]>,
  view: (row: Row) => View,
): Promise<Page<View>> {
  const limit = Number(query.limit);
  const afterId = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
  return pageOf(await find({ limit: limit + 1, afterId }), limit, view);
}

/** The first `limit` of `rows`. The query asked for one more, which tells whether there is another page. */
export function pageOf<Row extends { readonly id: string }, View>(
  rows: readonly Row[],
  limit: number,
  view: (row: Row) => View,
): Page<View> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { data: page.map(view), nextCursor: rows.length > limit && last ? encodeCursor(last.id) : null };
}
