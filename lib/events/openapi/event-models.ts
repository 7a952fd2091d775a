import type { DocumentedCall } from '../../http/openapi/documented-call';
import type { Model } from '../../http/openapi/describe-api';
import { DATE, ID, NEXT_CURSOR, optional, PAGE } from '../../http/openapi/fields';
import { EventsFilterQuery, EventsQuery } from '../events.dto';

/** What answers look like. In the code they are interfaces, which do not exist at run time. */
export class EventModel {}
export class EventPageModel {}

const DIGITS = { type: String, pattern: '^[0-9]+$' };
const HASH = { type: String, pattern: '^[0-9a-f]{64}$' };

export const EVENT_FILTER = {
  type: optional({
    type: String,
    description: 'Types, separated by commas',
    example: 'order.*,tenant.suspended',
  }),
  actor: optional({ type: String, description: 'A type of actor, or one actor', example: 'api-key:0193…' }),
  from: optional({ type: String, description: 'A day or a time', example: '2026-11-01' }),
  to: optional({
    type: String,
    description: 'A day or a time, not included',
    example: '2026-12-01T00:00:00Z',
  }),
};

export const EVENT_PAGE_FILTER = {
  ...EVENT_FILTER,
  ...PAGE,
  order: optional({ type: String, enum: ['asc', 'desc'], default: 'desc' }),
};

export const EVENT_MODELS: readonly Model[] = [
  {
    type: EventModel,
    name: 'TenantEvent',
    fields: {
      id: ID,
      tenantId: { ...ID, nullable: true, description: 'null: of no tenant' },
      type: { type: String, example: 'order.shipped' },
      actor: {
        type: 'object',
        properties: { type: { type: 'string', example: 'api-key' }, id: { type: 'string', nullable: true } },
      },
      subject: { type: String, nullable: true },
      data: { type: 'object', additionalProperties: true },
      occurredAt: DATE,
      sequence: { ...DIGITS, description: 'Its number among those of the tenant, from 1, without holes' },
      position: { ...DIGITS, description: 'Its place among those of all tenants' },
      hash: HASH,
      previousHash: HASH,
    },
  },
  {
    type: EventPageModel,
    name: 'TenantEventPage',
    fields: {
      data: { type: EventModel, isArray: true },
      nextCursor: NEXT_CURSOR,
      followCursor: {
        type: String,
        nullable: true,
        description: 'With order=asc: send it as cursor at any later time to get what has come since',
      },
    },
  },
];

export const EVENT_QUERY_MODELS: readonly Model[] = [
  { type: EventsFilterQuery, fields: EVENT_FILTER },
  { type: EventsQuery, fields: EVENT_PAGE_FILTER },
];

/** By the names of the handlers of both controllers. */
export const EVENT_CALLS: Readonly<Record<string, DocumentedCall>> = {
  list: { summary: 'List what has happened', answers: { 200: EventPageModel } },
  export: {
    summary: 'All that has happened, the first first: one event as JSON a line (application/x-ndjson)',
    answers: { 200: EventModel },
  },
};
