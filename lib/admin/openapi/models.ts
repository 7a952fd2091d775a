import type { Type } from '@nestjs/common';
import { TENANT_STATUSES } from '../../tenant/tenant';
import {
  CreateTenantBody,
  DeleteTenantQuery,
  ListTenantsQuery,
  PageQuery,
  TransitionBody,
  UpdateTenantBody,
} from '../tenant.dto';

/** What answers look like; in the code they are interfaces, of which nothing is left to describe. */
export class TenantModel {}
export class TenantPageModel {}
export class AuditRecordModel {}
export class AuditPageModel {}
export class ErrorModel {}

/** A class, its name in the document, and its fields as `ApiProperty` takes them. */
export interface Model {
  readonly type: Type;
  /** Not for queries, whose fields become parameters. */
  readonly name?: string;
  readonly fields: Readonly<Record<string, object>>;
}

const SLUG = {
  type: String,
  description: 'a-z, 0-9 and -, beginning with a letter, not ending with -, no uuid',
  minLength: 1,
  maxLength: 60,
  example: 'acme',
};
const NAME = { type: String, minLength: 1, maxLength: 200, example: 'Acme Inc.' };
const METADATA = {
  type: 'object',
  additionalProperties: true,
  description: 'At most 16 kB as JSON, nested at most 64 deep',
  example: { plan: 'gold' },
};
const DOMAINS = { type: String, isArray: true, example: ['shop.acme.com'] };
const ID = { type: String, format: 'uuid' };
const DATE = { type: String, format: 'date-time' };
const STATUS = { type: String, enum: [...TENANT_STATUSES] };
const REASON = { type: String, maxLength: 500, description: 'Kept with the tenant and in its record' };
const NEXT_CURSOR = { type: String, nullable: true, description: 'null on the last page' };

const optional = (field: object) => ({ ...field, required: false });

const PAGE = {
  limit: { type: 'integer', minimum: 1, maximum: 100, default: 50, required: false },
  cursor: optional({ type: String, description: 'nextCursor of the page before' }),
};

export const MODELS: readonly Model[] = [
  {
    type: TenantModel,
    name: 'AdminTenant',
    fields: {
      id: ID,
      slug: SLUG,
      name: NAME,
      schemaName: { type: String, example: 't_k3v9x2m7q8w1z5c4b6n0' },
      status: STATUS,
      domains: DOMAINS,
      metadata: METADATA,
      createdAt: DATE,
      updatedAt: DATE,
    },
  },
  {
    type: TenantPageModel,
    name: 'AdminTenantPage',
    fields: { data: { type: TenantModel, isArray: true }, nextCursor: NEXT_CURSOR },
  },
  {
    type: AuditRecordModel,
    name: 'AdminAuditRecord',
    fields: {
      id: { type: String, example: '42' },
      tenantId: ID,
      action: { type: String, example: 'suspend' },
      actor: {
        type: String,
        nullable: true,
        description: 'The name of the master key, or what code calls itself',
      },
      reason: { type: String, nullable: true },
      details: { type: 'object', additionalProperties: true, example: { from: 'active', to: 'suspended' } },
      at: DATE,
    },
  },
  {
    type: AuditPageModel,
    name: 'AdminAuditPage',
    fields: { data: { type: AuditRecordModel, isArray: true }, nextCursor: NEXT_CURSOR },
  },
  {
    type: ErrorModel,
    name: 'AdminError',
    fields: {
      statusCode: { type: 'integer', example: 404 },
      code: { type: String, description: 'Stable: match on it', example: 'TENANT_NOT_FOUND' },
      message: { type: String },
      errors: {
        type: 'array',
        required: false,
        description: 'Of VALIDATION_FAILED: each refused field',
        items: {
          type: 'object',
          required: ['field', 'message'],
          properties: { field: { type: 'string' }, message: { type: 'string' } },
        },
      },
    },
  },
  {
    type: CreateTenantBody,
    name: 'AdminCreateTenant',
    fields: {
      slug: SLUG,
      name: optional({ ...NAME, description: 'Default: the slug' }),
      metadata: optional(METADATA),
      domains: optional({ ...DOMAINS, maxItems: 50 }),
    },
  },
  {
    type: UpdateTenantBody,
    name: 'AdminUpdateTenant',
    fields: {
      slug: optional(SLUG),
      name: optional(NAME),
      metadata: optional({ ...METADATA, description: 'A merge patch (RFC 7386): null removes a key' }),
    },
  },
  { type: TransitionBody, name: 'AdminTransition', fields: { reason: optional(REASON) } },
  { type: PageQuery, fields: PAGE },
  {
    type: ListTenantsQuery,
    fields: {
      status: optional(STATUS),
      search: optional({ type: String, description: 'A part of slug or name, in any case' }),
    },
  },
  {
    type: DeleteTenantQuery,
    fields: {
      purge: {
        type: Boolean,
        default: false,
        required: false,
        description: 'true ends a deleted tenant for good',
      },
      reason: optional(REASON),
    },
  },
];
