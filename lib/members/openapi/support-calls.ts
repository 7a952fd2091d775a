import { BODY_ERRORS, type DocumentedCall, IDEMPOTENCY_ERRORS } from '../../http/openapi/documented-call';
import { JoinedModel } from './invitation-models';
import {
  ShownRecoveryKeyModel,
  ShownSupportSessionModel,
  SupportAccessModel,
  SupportSessionModel,
  SupportSessionPageModel,
} from './support-models';

const UNKNOWN = { 404: 'SUPPORT_SESSION_NOT_FOUND' };
const OWNERS = { 403: 'OWNER_REQUIRED, SCOPE_MISSING, TENANT_MISMATCH, TENANT_NOT_ACTIVE' };

/** By the names of the handlers of `TenantSupportController`. */
export const SUPPORT_CALLS: Readonly<Record<string, DocumentedCall>> = {
  list: {
    summary: 'List who has entered the tenant for support, in the order of their beginning',
    answers: { 200: SupportSessionPageModel },
  },
  access: { summary: 'Show whether support may enter', answers: { 200: SupportAccessModel } },
  setAccess: {
    summary: 'Say whether support may enter, as an owner; never ends all sessions at once',
    answers: { 200: SupportAccessModel },
    errors: { ...BODY_ERRORS, ...OWNERS },
  },
  get: {
    summary: 'Show a support session',
    answers: { 200: SupportSessionModel, 304: undefined },
    errors: UNKNOWN,
    headers: ['If-None-Match'],
    params: ['session'],
  },
  approve: {
    summary: 'Let a waiting session in, as an owner',
    answers: { 200: SupportSessionModel },
    errors: {
      ...UNKNOWN,
      ...OWNERS,
      ...IDEMPOTENCY_ERRORS,
      409: 'SUPPORT_ENDED, IDEMPOTENCY_IN_PROGRESS',
    },
    headers: ['Idempotency-Key'],
    params: ['session'],
  },
  revoke: {
    summary: 'End a support session at once',
    answers: { 200: SupportSessionModel },
    errors: UNKNOWN,
    params: ['session'],
  },
};

/** By the names of the handlers of `SupportSessionsController`. */
export const ENTER_CALLS: Readonly<Record<string, DocumentedCall>> = {
  enter: {
    summary: 'Begin a support session (scope support:enter); its credential is shown this once',
    answers: { 201: ShownSupportSessionModel },
    errors: {
      ...BODY_ERRORS,
      ...IDEMPOTENCY_ERRORS,
      403: 'SUPPORT_FORBIDDEN, SCOPE_MISSING',
      409: 'IDEMPOTENCY_IN_PROGRESS',
    },
    headers: ['Idempotency-Key'],
  },
  list: {
    summary: 'List the support sessions of a tenant, in the order of their beginning',
    answers: { 200: SupportSessionPageModel },
  },
  end: {
    summary: 'End a support session at once',
    answers: { 200: SupportSessionModel },
    errors: UNKNOWN,
    params: ['session'],
  },
};

/** By the names of the handlers of `RecoveryKeysController`. */
export const RECOVERY_CALLS: Readonly<Record<string, DocumentedCall>> = {
  create: {
    summary: 'Make a recovery key (scope recovery:create), whose text is shown this once',
    answers: { 201: ShownRecoveryKeyModel },
    errors: {
      ...BODY_ERRORS,
      ...IDEMPOTENCY_ERRORS,
      409: 'RECOVERY_KEY_EXISTS, IDEMPOTENCY_IN_PROGRESS',
    },
    headers: ['Idempotency-Key'],
  },
  revoke: {
    summary: 'End a recovery key',
    answers: { 204: undefined },
    errors: { 404: 'RECOVERY_KEY_INVALID, TENANT_NOT_FOUND' },
    params: ['recovery'],
  },
};

/** By the names of the handlers of `RecoveryController`. */
export const RECOVER_CALLS: Readonly<Record<string, DocumentedCall>> = {
  recover: {
    summary: 'Become an owner of a tenant with a recovery key',
    answers: { 201: JoinedModel },
    errors: {
      ...BODY_ERRORS,
      403: 'SUBJECT_MISSING, TENANT_NOT_ACTIVE',
      404: 'RECOVERY_KEY_INVALID',
      409: 'MEMBER_LIMIT',
    },
  },
};
