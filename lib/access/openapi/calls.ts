import { PATCH_BODY } from '../../http/accepted.guard';
import { BODY_ERRORS, type DocumentedCall, IDEMPOTENCY_ERRORS } from '../../http/openapi/documented-call';
import { ApiKeyReasonBody, RotateApiKeyBody } from '../api-key.dto';
import { ApiKeyModel, ApiKeyPageModel, PrincipalModel, ShownApiKeyModel } from './models';

/** The errors of every call that a principal sends. */
export const COMMON_ERRORS: Readonly<Record<number, string>> = {
  400: 'VALIDATION_FAILED, TENANT_MISSING, CREDENTIALS_AMBIGUOUS',
  401: 'UNAUTHENTICATED, API_KEY_INVALID, API_KEY_MALFORMED, API_KEY_EXPIRED, API_KEY_BLOCKED, API_KEY_REVOKED, TENANT_TOKEN_INVALID',
  403: 'SCOPE_MISSING, TENANT_MISMATCH, TENANT_NOT_ACTIVE, API_KEY_ADDRESS_REFUSED',
  503: 'TENANCY_UNAVAILABLE',
};

const UNKNOWN = { 404: 'API_KEY_NOT_FOUND' };
const CHANGED = { ...UNKNOWN, 412: 'PRECONDITION_FAILED' };

const action = (
  summary: string,
  answer: new () => object = ApiKeyModel,
  optionalBody: new () => object = ApiKeyReasonBody,
): DocumentedCall => ({
  summary,
  answers: { 200: answer },
  errors: {
    ...CHANGED,
    ...BODY_ERRORS,
    ...IDEMPOTENCY_ERRORS,
    409: 'API_KEY_REVOKED, IDEMPOTENCY_IN_PROGRESS',
  },
  headers: ['Idempotency-Key', 'If-Match'],
  params: ['key'],
  optionalBody,
});

/** By the names of the handlers of `KeysController`. */
export const KEY_CALLS: Readonly<Record<string, DocumentedCall>> = {
  create: {
    summary: 'Make an API key, whose text is shown this once',
    answers: { 201: ShownApiKeyModel },
    errors: { ...BODY_ERRORS, ...IDEMPOTENCY_ERRORS, 409: 'API_KEY_LIMIT, IDEMPOTENCY_IN_PROGRESS' },
    headers: ['Idempotency-Key'],
  },
  list: { summary: 'List API keys in the order of their creation', answers: { 200: ApiKeyPageModel } },
  get: {
    summary: 'Show an API key',
    answers: { 200: ApiKeyModel, 304: undefined },
    errors: UNKNOWN,
    headers: ['If-None-Match'],
    params: ['key'],
  },
  update: {
    summary: 'Change the name, scopes, expiry or addresses of an API key',
    answers: { 200: ApiKeyModel },
    errors: { ...CHANGED, ...BODY_ERRORS, 409: 'API_KEY_REVOKED' },
    headers: ['If-Match'],
    params: ['key'],
    consumes: PATCH_BODY,
  },
  block: action('Refuse an API key until it is unblocked'),
  unblock: action('Let a blocked API key in again'),
  rotate: action(
    'Give an API key a new text; the old one remains valid for a while',
    ShownApiKeyModel,
    RotateApiKeyBody,
  ),
  revoke: {
    summary: 'End an API key permanently',
    answers: { 200: ApiKeyModel },
    errors: CHANGED,
    headers: ['If-Match'],
    params: ['key'],
  },
};

/** By the names of the handlers of `MeController`. */
export const ME_CALLS: Readonly<Record<string, DocumentedCall>> = {
  me: { summary: 'Tell who I am, of which tenant, and what I may do', answers: { 200: PrincipalModel } },
};
