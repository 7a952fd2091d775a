import type { Model } from '../../http/openapi/describe-api';
import { DATE, ID, optional } from '../../http/openapi/fields';
import { DriftQuery, MigrateBody } from '../migrations.dto';

/** What answers look like, as in `./models`. */
export class StartedRunModel {}
export class RunModel {}
export class DriftModel {}
export class TenantDriftModel {}
export class DifferenceModel {}

const NAMES = { type: String, isArray: true, example: ['AddPlace1700000001000'] };
const DIRECTION = { type: String, enum: ['up', 'down'] };
const COUNT = { type: 'integer', minimum: 0 };
const from = (minimum: number) => optional({ type: 'integer', minimum });

export const MIGRATION_MODELS: readonly Model[] = [
  {
    type: MigrateBody,
    name: 'AdminMigrate',
    fields: {
      direction: optional({ ...DIRECTION, default: 'up' }),
      canary: optional({
        oneOf: [
          { type: 'array', items: { type: 'string' } },
          { type: 'integer', minimum: 0 },
        ],
        description: 'Slugs of the tenants that go first, or how many of the oldest',
      }),
      percents: optional({
        type: 'integer',
        isArray: true,
        example: [10, 50],
        description: 'Ascending, 1 to 99',
      }),
      concurrency: optional({ type: 'integer', minimum: 1, maximum: 100 }),
      lockTimeoutMs: from(1),
      retries: from(0),
      maxFailures: from(0),
    },
  },
  {
    type: StartedRunModel,
    name: 'AdminStartedRun',
    fields: {
      id: { ...ID, nullable: true, description: 'null when there was nothing to do' },
      state: { type: String, enum: ['running', 'done'] },
    },
  },
  {
    type: RunModel,
    name: 'AdminRun',
    fields: {
      id: ID,
      direction: DIRECTION,
      state: { type: String, enum: ['running', 'done', 'failed', 'halted', 'abandoned'] },
      holder: { type: String, description: 'The host and the process' },
      migrations: NAMES,
      report: {
        type: 'object',
        additionalProperties: true,
        nullable: true,
        description: 'null while it runs',
      },
      startedAt: DATE,
      finishedAt: { ...DATE, nullable: true },
    },
  },
  {
    type: DriftModel,
    name: 'AdminDrift',
    fields: {
      checked: COUNT,
      drifted: COUNT,
      repaired: COUNT,
      tenants: { type: TenantDriftModel, isArray: true },
      halted: optional({ type: String, description: 'Why it ended before all tenants were done' }),
      ms: COUNT,
    },
  },
  {
    type: TenantDriftModel,
    name: 'AdminTenantDrift',
    fields: {
      tenantId: ID,
      slug: { type: String },
      schemaName: { type: String },
      pending: { ...NAMES, description: 'Migrations that it lacks' },
      differences: { type: DifferenceModel, isArray: true },
      repaired: { type: String, isArray: true },
      error: optional({ type: String }),
    },
  },
  {
    type: DifferenceModel,
    name: 'AdminDifference',
    fields: {
      object: { type: String, example: 'index orders_place_idx' },
      kind: { type: String, enum: ['missing', 'extra', 'changed'] },
      sentences: { type: String, isArray: true, example: ['The index orders_place_idx is missing.'] },
      repair: {
        type: String,
        isArray: true,
        nullable: true,
        description: 'SQL; null when a person must decide',
      },
      isSafe: { type: Boolean },
    },
  },
  {
    type: DriftQuery,
    fields: {
      tenant: optional({ type: String, description: 'An id or a slug. Default: all' }),
      limit: { type: 'integer', minimum: 0, maximum: 1000, default: 100, required: false },
    },
  },
];
