import type { Model } from '../../http/openapi/describe-api';
import { DATE, ID, NEXT_CURSOR, optional } from '../../http/openapi/fields';
import { MAX_REASON_LENGTH } from '../../provisioning/tenant-input';
import { MAX_SCOPES } from '../member-input';
import { EnterBody, RecoverBody, RecoveryBody, SupportAccessBody } from '../support/support.dto';
import { SUPPORT_ACCESS, SUPPORT_STATUSES } from '../support/support-session';
import { DEFAULT_MINUTES, MAX_MINUTES } from '../support/support-input';

/** What answers look like. In the code they are interfaces, which do not exist at run time. */
export class SupportSessionModel {}
export class ShownSupportSessionModel {}
export class SupportSessionPageModel {}
export class SupportAccessModel {}
export class ShownRecoveryKeyModel {}

const MAYBE_DATE = { ...DATE, nullable: true };
const REASON = { type: String, maxLength: MAX_REASON_LENGTH, description: 'The tenant reads it' };
const MINUTES = { type: 'integer', minimum: 1, maximum: MAX_MINUTES, default: DEFAULT_MINUTES };
const SCOPES = { type: String, isArray: true, maxItems: MAX_SCOPES, example: ['orders:read'] };
const ACCESS = { type: String, enum: [...SUPPORT_ACCESS] };

const SESSION = {
  id: ID,
  tenantId: ID,
  actor: { type: String, description: 'Who has entered' },
  reason: REASON,
  scopes: SCOPES,
  minutes: MINUTES,
  status: { type: String, enum: [...SUPPORT_STATUSES] },
  approvedBy: { type: String, nullable: true },
  approvedAt: MAYBE_DATE,
  firstUsedAt: MAYBE_DATE,
  expiresAt: DATE,
  endedAt: MAYBE_DATE,
  createdAt: DATE,
};

export const SUPPORT_MODELS: readonly Model[] = [
  { type: SupportSessionModel, name: 'SupportSession', fields: SESSION },
  {
    type: SupportSessionPageModel,
    name: 'SupportSessionPage',
    fields: { data: { type: SupportSessionModel, isArray: true }, nextCursor: NEXT_CURSOR },
  },
  { type: SupportAccessModel, name: 'SupportAccess', fields: { supportAccess: ACCESS } },
  { type: SupportAccessBody, name: 'SetSupportAccess', fields: { supportAccess: ACCESS } },
];

export const RECOVER_MODELS: readonly Model[] = [
  { type: RecoverBody, name: 'Recover', fields: { key: { type: String, example: 'rec_01a2…' } } },
];

/** Of the admin API. */
export const ENTER_MODELS: readonly Model[] = [
  {
    type: ShownSupportSessionModel,
    name: 'ShownSupportSession',
    fields: {
      ...SESSION,
      credential: { type: String, nullable: true, description: 'For X-Support-Key, shown this once' },
    },
  },
  {
    type: EnterBody,
    name: 'EnterTenant',
    fields: { reason: REASON, minutes: optional(MINUTES), scopes: SCOPES },
  },
  { type: RecoveryBody, name: 'CreateRecoveryKey', fields: { reason: REASON, minutes: optional(MINUTES) } },
  {
    type: ShownRecoveryKeyModel,
    name: 'ShownRecoveryKey',
    fields: {
      id: ID,
      tenantId: ID,
      actor: { type: String },
      reason: REASON,
      expiresAt: DATE,
      createdAt: DATE,
      key: { type: String, nullable: true, description: 'Its text, shown this once' },
    },
  },
];

/** Answers with an `ETag`. */
export const TAGGED_SESSIONS = [SupportSessionModel, ShownSupportSessionModel];
