import type { Model } from '../../http/openapi/describe-api';
import { ID, optional } from '../../http/openapi/fields';
import { UsageQuery } from '../usage.dto';

const DAY = { type: String, format: 'date', example: '2026-11-25' };
const COUNT = { type: 'integer', minimum: 0 };
const METRIC = { type: 'string', example: 'orders.created' };
const counts = (period: string) => ({
  type: 'array',
  items: { type: 'object', properties: { [period]: { type: 'string' }, used: COUNT } },
});

/** The fields of a `UsageReport`. */
export const USAGE_FIELDS: Model['fields'] = {
  tenantId: ID,
  from: DAY,
  to: DAY,
  metrics: {
    type: 'array',
    items: {
      type: 'object',
      properties: { metric: METRIC, total: COUNT, days: counts('day'), months: counts('month') },
    },
  },
  quotas: {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        metric: METRIC,
        limit: COUNT,
        per: { type: 'string', enum: ['day', 'month', 'total'] },
        hard: { type: 'boolean' },
        used: COUNT,
        remaining: COUNT,
      },
    },
  },
  storage: {
    type: 'object',
    nullable: true,
    description: 'null for a purged tenant',
    properties: { bytes: COUNT, rows: COUNT },
  },
  connections: {
    type: 'object',
    nullable: true,
    description: 'Of the instance that answers, since it started',
    properties: { active: COUNT, queryMs: { type: 'number' } },
  },
};

export const USAGE_QUERY: Model = {
  type: UsageQuery,
  fields: {
    from: optional({ ...DAY, description: 'In UTC. Default: the first of the month of `to`' }),
    to: optional({
      ...DAY,
      description: 'In UTC, included; at most 366 days after `from`. Default: today',
    }),
  },
};
