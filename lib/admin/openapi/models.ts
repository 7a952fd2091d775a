import type { Model } from '../../http/openapi/describe-api';
import { DATE, ERROR_FIELDS, ID, NEXT_CURSOR, optional, PAGE } from '../../http/openapi/fields';
import { PageQuery } from '../../http/page-query';
import { MIGRATION_MODELS } from './migration-models';
import { MOVE_MODELS } from './move-models';
import { MAX_NAME_LENGTH, MAX_REASON_LENGTH } from '../../provisioning/tenant-input';
import { DEFAULT_PLACE, ISOLATIONS } from '../../placement/place';
import { TENANT_STATUSES, type TenantField } from '../../registry/tenant';
import { SetSettingBody } from '../setting.dto';
import {
  CreateTenantBody,
  DeleteTenantQuery,
  ListTenantsQuery,
  TransitionBody,
  UpdateTenantBody,
} from '../tenant.dto';

/** What answers look like. In the code they are interfaces, which do not exist at run time. */
export class TenantModel {}
export class TenantPageModel {}
export class AuditRecordModel {}
export class AuditPageModel {}
export class SettingModel {}
export class SettingsModel {}
export class ErrorModel {}

const SLUG = {
  type: String,
  description: 'a-z, 0-9 and -, beginning with a letter, not ending with -, no uuid',
  minLength: 1,
  maxLength: 60,
  example: 'acme',
};
const NAME = { type: String, minLength: 1, maxLength: MAX_NAME_LENGTH, example: 'Acme Inc.' };
const METADATA = {
  type: 'object',
  additionalProperties: true,
  description: 'At most 16 kB as JSON, nested at most 64 deep',
  example: { plan: 'gold' },
};
const DOMAINS = { type: String, isArray: true, example: ['shop.acme.com'] };
const PLACE = { server: { type: 'string' }, isolation: { type: 'string', enum: [...ISOLATIONS] } };
const STATUS = { type: String, enum: [...TENANT_STATUSES] };
const VALUE = {
  type: Object,
  description: 'Any JSON value of the declared type, at most 16 kB',
  nullable: true,
  oneOf: ['string', 'number', 'boolean', 'object', 'array'].map((type) => ({
    type,
    ...(type === 'array' && { items: {} }),
  })),
  example: 'dark',
};
const REASON = {
  type: String,
  maxLength: MAX_REASON_LENGTH,
  description: 'Stored with the tenant and in its audit',
};

export const MODELS: readonly Model[] = [
  ...MIGRATION_MODELS,
  ...MOVE_MODELS,
  {
    type: TenantModel,
    name: 'AdminTenant',
    fields: {
      id: ID,
      slug: SLUG,
      name: NAME,
      schemaName: { type: String, example: 't_k3v9x2m7q8w1z5c4b6n0' },
      place: {
        type: 'object',
        description: 'Where its schema is',
        properties: PLACE,
        required: ['server', 'isolation'],
        selfRequired: true,
        example: DEFAULT_PLACE,
      },
      status: STATUS,
      domains: DOMAINS,
      metadata: METADATA,
      schemaVersion: {
        type: String,
        nullable: true,
        description: 'The last migration that the schema has seen',
        example: 'CreateOrders1700000000000',
      },
      createdAt: DATE,
      updatedAt: DATE,
    } satisfies Record<TenantField<'shown'>, unknown>,
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
        description: 'The name of the master key, or the name that code gave',
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
    type: SettingModel,
    name: 'AdminSetting',
    fields: {
      key: { type: String, example: 'theme' },
      value: VALUE,
      isDefault: { type: Boolean, description: 'Whether the tenant has no value of its own' },
      tenant: {
        type: String,
        enum: ['read', 'write'],
        nullable: true,
        description: 'What the tenant itself may do; null for nothing',
      },
    },
  },
  {
    type: SettingsModel,
    name: 'AdminSettings',
    fields: { data: { type: SettingModel, isArray: true } },
  },
  { type: SetSettingBody, name: 'AdminSetSetting', fields: { value: VALUE } },
  {
    type: ErrorModel,
    name: 'AdminError',
    fields: ERROR_FIELDS,
  },
  {
    type: CreateTenantBody,
    name: 'AdminCreateTenant',
    fields: {
      slug: SLUG,
      name: optional({ ...NAME, description: 'Default: the slug' }),
      metadata: optional(METADATA),
      domains: optional({ ...DOMAINS, maxItems: 50 }),
      place: optional({
        type: 'object',
        description: 'Where it is to live. What is left out is as the option placement says',
        properties: PLACE,
        additionalProperties: false,
        selfRequired: false,
        example: { server: 'eu' },
      }),
      apiKey: optional({
        type: Boolean,
        description: 'Whether the answer contains a first API key, shown only this once',
      }),
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
      server: optional({ type: String, description: 'Only tenants that live on this server' }),
      isolation: optional({ type: String, enum: [...ISOLATIONS], description: 'Only tenants that live so' }),
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
        description: 'true ends a deleted tenant permanently',
      },
      reason: optional(REASON),
    },
  },
];
