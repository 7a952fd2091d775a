import type { Model } from '../../http/openapi/describe-api';
import { DATE, ERROR_FIELDS, ID, NEXT_CURSOR, optional, PAGE } from '../../http/openapi/fields';
import { PageQuery } from '../../http/page-query';
import { MAX_REASON_LENGTH } from '../../provisioning/tenant-input';
import { CheckedAccessOptions, MAX_OVERLAP_MS } from '../access.options';
import { API_KEY_STATUSES } from '../api-key';
import { MAX_ENTRIES, MAX_KEY_NAME_LENGTH } from '../api-key-input';
import { ApiKeyReasonBody, CreateApiKeyBody, RotateApiKeyBody, UpdateApiKeyBody } from '../api-key.dto';

/** What answers look like. In the code they are interfaces, which do not exist at run time. */
export class ApiKeyModel {}
export class ShownApiKeyModel {}
export class ApiKeyPageModel {}
export class PrincipalModel {}
export class AccessErrorModel {}

const DEFAULTS = new CheckedAccessOptions();

const NAME = { type: String, minLength: 1, maxLength: MAX_KEY_NAME_LENGTH, example: 'nightly export' };
const SCOPES = { type: String, isArray: true, maxItems: MAX_ENTRIES, example: ['orders:read'] };
const ALLOWED_IPS = { type: String, isArray: true, maxItems: MAX_ENTRIES, example: ['203.0.113.0/24'] };
const MAYBE_DATE = { ...DATE, nullable: true };
const REASON = {
  type: String,
  maxLength: MAX_REASON_LENGTH,
  description: 'Kept in the record of the tenant',
};

const API_KEY = {
  id: ID,
  tenantId: ID,
  name: NAME,
  hint: { type: String, description: 'The last four characters of its text', example: 'x7Qz' },
  scopes: SCOPES,
  allowedIps: ALLOWED_IPS,
  status: { type: String, enum: [...API_KEY_STATUSES] },
  expiresAt: MAYBE_DATE,
  blockedAt: MAYBE_DATE,
  revokedAt: MAYBE_DATE,
  overlapEndsAt: { ...MAYBE_DATE, description: 'Until when the text from before the last rotation is valid' },
  lastUsedAt: MAYBE_DATE,
  createdAt: DATE,
  updatedAt: DATE,
};

export const KEY_MODELS: readonly Model[] = [
  { type: ApiKeyModel, name: 'ApiKey', fields: API_KEY },
  {
    type: ShownApiKeyModel,
    name: 'ShownApiKey',
    fields: { ...API_KEY, key: { type: String, nullable: true, description: 'Its text, shown this once' } },
  },
  {
    type: ApiKeyPageModel,
    name: 'ApiKeyPage',
    fields: { data: { type: ApiKeyModel, isArray: true }, nextCursor: NEXT_CURSOR },
  },
  {
    type: CreateApiKeyBody,
    name: 'CreateApiKey',
    fields: {
      name: NAME,
      scopes: optional({ ...SCOPES, description: 'Default none: it may do nothing' }),
      expiresAt: optional({ ...MAYBE_DATE, description: 'Default null: never' }),
      allowedIps: optional({ ...ALLOWED_IPS, description: 'Default none: from everywhere' }),
    },
  },
  {
    type: UpdateApiKeyBody,
    name: 'UpdateApiKey',
    fields: {
      name: optional(NAME),
      scopes: optional(SCOPES),
      expiresAt: optional(MAYBE_DATE),
      allowedIps: optional(ALLOWED_IPS),
    },
  },
  { type: ApiKeyReasonBody, name: 'ApiKeyReason', fields: { reason: optional(REASON) } },
  {
    type: RotateApiKeyBody,
    name: 'RotateApiKey',
    fields: {
      overlapMs: optional({
        type: 'integer',
        minimum: 0,
        maximum: MAX_OVERLAP_MS,
        default: DEFAULTS.rotationOverlapMs,
      }),
    },
  },
  { type: PageQuery, fields: PAGE },
];

export const ACCESS_MODELS: readonly Model[] = [
  ...KEY_MODELS,
  { type: AccessErrorModel, name: 'AccessError', fields: ERROR_FIELDS },
  {
    type: PrincipalModel,
    name: 'Principal',
    fields: {
      tenantId: { ...ID, nullable: true },
      type: { type: String, enum: ['access_token', 'api_key', 'support'] },
      subject: { type: String, description: "A token's sub, or the id of a key" },
      scopes: { type: String, isArray: true, example: ['orders:read'] },
      tenant: {
        type: 'object',
        nullable: true,
        properties: { id: { type: 'string' }, slug: { type: 'string' }, name: { type: 'string' } },
      },
    },
  },
];

/** Answers with an `ETag`. */
export const TAGGED_MODELS = [ApiKeyModel, ShownApiKeyModel];
