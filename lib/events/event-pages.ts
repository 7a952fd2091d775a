import { AsyncResource } from 'node:async_hooks';
import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import { type FieldError, ValidationFailedError } from '../common/tenancy.errors';
import { decodeAuditCursor, encodeCursor, type Page } from '../http/cursor';
import type { EventTrail } from '../registry/events/event-trail';
import type { EventQuery, TenantEvent } from '../registry/events/tenant-event';
import { isUuid } from '../registry/claim';
import type { TenantStore } from '../registry/store/tenant.store';
import { TenantNotFoundError } from '../registry/tenant.errors';
import type { EventsFilterQuery, EventsQuery } from './events.dto';
import { isTypePatterns, MAX_PATTERNS } from './type-patterns';

/** Whose events are read; `undefined`: everybody's. */
export type Whose = Pick<EventQuery, 'tenantId'>;

export interface EventPage extends Page<TenantEvent> {
  /**
   * With `order=asc`: send it as `cursor` at any later time to get what has come since; no event is passed over. `null` while
   * there has been none, and with `order=desc`.
   */
  readonly followCursor: string | null;
}

/**
 * The id of the tenant that an id or a slug names. Each id is one: a tenant that was purged still has its events.
 *
 * @throws TenantNotFoundError
 */
export async function tenantIdOf(store: TenantStore, reference: string): Promise<string> {
  if (isUuid(reference)) return reference;
  const tenant = await store.find({ by: 'slug', value: reference });
  if (!tenant) throw new TenantNotFoundError();
  return tenant.id;
}

/** How many are read at once for an export, which is as much as it holds in memory. */
const EXPORT_PAGE = 100;

/** A page of the trail, as a query asks for it. @throws ValidationFailedError, TenancyUnavailableError */
export async function eventPage(trail: EventTrail, whose: Whose, query: EventsQuery): Promise<EventPage> {
  const { cursor, order } = query;
  const limit = Number(query.limit);
  const position = cursor === undefined ? undefined : decodeAuditCursor(cursor);
  const latestFirst = order === 'desc';
  const found = await trail.list({
    ...whose,
    ...filterOf(query),
    ...(latestFirst ? { before: position } : { after: position }),
    latestFirst,
    limit: limit + 1,
  });
  const data = found.slice(0, limit);
  const last = data.at(-1);
  const reached = last ? encodeCursor(last.position) : null;
  return {
    data,
    nextCursor: found.length > limit ? reached : null,
    followCursor: latestFirst ? null : (reached ?? cursor ?? null),
  };
}

/**
 * All events that were there when it began, the first first, one JSON object a line. A connection that is lost in between is cut, so
 * that half of an export does not look like all of it.
 *
 * @throws ValidationFailedError, TenancyUnavailableError
 */
export async function eventExport(
  trail: EventTrail,
  whose: Whose,
  query: EventsFilterQuery,
): Promise<StreamableFile> {
  const lines = await exportLines(trail, { ...whose, ...filterOf(query) });
  const file = new StreamableFile(Readable.from(lines, { objectMode: false }), {
    type: 'application/x-ndjson',
    disposition: 'attachment; filename="events.jsonl"',
  });
  return file.setErrorHandler((_error, response) => (response as { destroy?: () => void }).destroy?.());
}

/** The lines of an export, a page at a time. What cannot be read at all fails before the first. */
export async function exportLines(
  trail: EventTrail,
  query: Omit<EventQuery, 'limit'>,
): Promise<AsyncGenerator<string>> {
  const [last] = await trail.list({ ...query, latestFirst: true, limit: 1 });
  // Whoever pulls the stream does so in nobody's context: the reads are for whom the export was asked.
  const read = AsyncResource.bind((after: string | undefined) =>
    trail.list(
      { ...query, after, before: String(BigInt(last.position) + 1n), limit: EXPORT_PAGE },
      { seal: false },
    ),
  );
  return (async function* () {
    for (let after: string | undefined; last !== undefined;) {
      const page = await read(after);
      if (page.length > 0) yield page.map((event) => `${JSON.stringify(event)}\n`).join('');
      if (page.length < EXPORT_PAGE) return;
      after = page.at(-1)!.position;
    }
  })();
}

/** What a query asks for. @throws ValidationFailedError naming each field that means nothing */
export function filterOf({ type, actor, from, to }: EventsFilterQuery): Omit<EventQuery, 'limit'> {
  const errors: FieldError[] = [];
  const types = type?.split(',');
  if (types && !isTypePatterns(types))
    errors.push({
      field: 'type',
      message: `must be at most ${MAX_PATTERNS} types such as order.shipped or order.*, separated by commas`,
    });
  const timeOf = (field: 'from' | 'to', text: string | undefined): Date | undefined => {
    if (text === undefined) return undefined;
    const time = new Date(text);
    if (Number.isNaN(time.getTime())) errors.push({ field, message: 'must be a day or a time in ISO 8601' });
    return time;
  };
  const times = { from: timeOf('from', from), to: timeOf('to', to) };
  if (errors.length > 0) throw new ValidationFailedError(errors);
  return { types, actor: actor === undefined ? undefined : actorOf(actor), ...times };
}

/** `api-key:0193…`, or `api-key` for all of them. */
function actorOf(text: string): EventQuery['actor'] {
  const colon = text.indexOf(':');
  return colon < 0 ? { type: text } : { type: text.slice(0, colon), id: text.slice(colon + 1) };
}
