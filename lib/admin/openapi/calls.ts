import { BODY_ERRORS, type DocumentedCall, IDEMPOTENCY_ERRORS } from '../../http/openapi/documented-call';
import { MigrateBody } from '../migrations.dto';
import { TransitionBody } from '../tenant.dto';
import { PATCH_BODY } from '../../http/accepted.guard';
import { AuditPageModel, TenantModel, TenantPageModel } from './models';
import { UsageModel } from './usage-models';
import { DriftModel, RunModel, StartedRunModel } from './migration-models';
import { MoveModel, MovesModel } from './move-models';

/** The errors of every call. */
export const COMMON_ERRORS: Readonly<Record<number, string>> = {
  400: 'VALIDATION_FAILED',
  401: 'MASTER_KEY_INVALID',
  403: 'SCOPE_MISSING',
  503: 'TENANCY_UNAVAILABLE',
};

const UNKNOWN = { 404: 'TENANT_NOT_FOUND' };
const CHANGED = { ...UNKNOWN, 412: 'PRECONDITION_FAILED' };

const transition = (summary: string): DocumentedCall => ({
  summary,
  answers: { 200: TenantModel },
  errors: {
    ...CHANGED,
    ...BODY_ERRORS,
    ...IDEMPOTENCY_ERRORS,
    409: 'INVALID_TRANSITION, TENANT_CONTENDED, IDEMPOTENCY_IN_PROGRESS',
  },
  headers: ['Idempotency-Key', 'If-Match'],
  params: ['tenant'],
  optionalBody: TransitionBody,
});

/** By the names of the handlers of `TenantsController`. */
export const TENANT_CALLS: Readonly<Record<string, DocumentedCall>> = {
  create: {
    summary: 'Make a tenant and its schema',
    answers: { 201: TenantModel },
    errors: {
      ...BODY_ERRORS,
      400: 'VALIDATION_FAILED, TENANT_SLUG_RESERVED',
      409: 'TENANT_SLUG_TAKEN, DOMAIN_TAKEN, PLACE_NOT_POSSIBLE, IDEMPOTENCY_IN_PROGRESS',
      422: 'DOMAIN_NOT_PROVEN, IDEMPOTENCY_KEY_REUSED',
    },
    headers: ['Idempotency-Key'],
  },
  list: { summary: 'List tenants in the order of their creation', answers: { 200: TenantPageModel } },
  get: {
    summary: 'Show a tenant',
    answers: { 200: TenantModel, 304: undefined },
    errors: UNKNOWN,
    headers: ['If-None-Match'],
    params: ['tenant'],
  },
  update: {
    summary: 'Change names, and merge metadata',
    answers: { 200: TenantModel },
    errors: {
      ...CHANGED,
      ...BODY_ERRORS,
      400: 'VALIDATION_FAILED, TENANT_SLUG_RESERVED',
      409: 'TENANT_SLUG_TAKEN, TENANT_CONTENDED',
    },
    headers: ['If-Match'],
    params: ['tenant'],
    consumes: PATCH_BODY,
  },
  suspend: transition('Refuse the requests of a tenant'),
  activate: transition('Serve a suspended tenant again'),
  restore: transition('Give a deleted tenant the status it had before'),
  delete: {
    summary: 'Delete a tenant, keeping its schema and its slug; or purge a deleted one',
    answers: { 200: TenantModel, 204: undefined },
    errors: {
      ...CHANGED,
      409: 'INVALID_TRANSITION, TENANT_CONTENDED, PURGE_BLOCKED, SCHEMA_NOT_MARKED, REGISTRY_COPIED',
    },
    headers: ['If-Match'],
    params: ['tenant'],
  },
};

/** By the names of the handlers of `TenantDomainsController`. */
export const DOMAIN_CALLS: Readonly<Record<string, DocumentedCall>> = {
  addDomain: {
    summary: 'Give a tenant a domain',
    answers: { 200: TenantModel },
    errors: { ...CHANGED, 409: 'DOMAIN_TAKEN, TENANT_CONTENDED', 422: 'DOMAIN_NOT_PROVEN' },
    headers: ['If-Match'],
    params: ['tenant', 'domain'],
  },
  removeDomain: {
    summary: 'Take a domain away',
    answers: { 200: TenantModel },
    errors: { ...CHANGED, 409: 'TENANT_CONTENDED' },
    headers: ['If-Match'],
    params: ['tenant', 'domain'],
  },
};

/** By the names of the handlers of `TenantAuditController`. */
export const AUDIT_CALLS: Readonly<Record<string, DocumentedCall>> = {
  list: {
    summary: 'Tell who did what to a tenant, the latest first',
    answers: { 200: AuditPageModel },
    errors: { ...UNKNOWN, 501: 'AUDIT_NOT_KEPT' },
    params: ['tenant'],
  },
};

/** By the names of the handlers of `MigrationsController`. */
export const MIGRATION_CALLS: Readonly<Record<string, DocumentedCall>> = {
  start: {
    summary: 'Migrate the fleet to the version of the code, or back by one migration',
    answers: { 202: StartedRunModel },
    errors: {
      ...BODY_ERRORS,
      ...IDEMPOTENCY_ERRORS,
      409: 'MIGRATION_RUN_ACTIVE, NOTHING_TO_REVERT, IDEMPOTENCY_IN_PROGRESS',
    },
    headers: ['Idempotency-Key'],
    optionalBody: MigrateBody,
  },
  find: {
    summary: 'Tell how a migration run stands',
    answers: { 200: RunModel },
    errors: { 404: 'MIGRATION_RUN_NOT_FOUND' },
    params: ['run'],
  },
  check: {
    summary: 'Tell how tenants differ from the template',
    answers: { 200: DriftModel },
    errors: { 404: 'TENANT_NOT_FOUND', 409: 'TEMPLATE_MOVED' },
  },
};

/** By the names of the handlers of `MovesController`. */
export const MOVE_CALLS: Readonly<Record<string, DocumentedCall>> = {
  begin: {
    summary: 'Move a tenant to another place',
    answers: { 202: MoveModel },
    errors: {
      ...CHANGED,
      ...BODY_ERRORS,
      ...IDEMPOTENCY_ERRORS,
      409: 'MOVE_NOT_POSSIBLE, PLACE_NOT_POSSIBLE, MOVE_UNDER_WAY, INVALID_TRANSITION, IDEMPOTENCY_IN_PROGRESS',
    },
    headers: ['Idempotency-Key', 'If-Match'],
    params: ['tenant'],
  },
  listOf: {
    summary: 'List the moves of a tenant, the latest first',
    answers: { 200: MovesModel },
    errors: UNKNOWN,
    params: ['tenant'],
  },
  listOpen: { summary: 'List the moves that are under way', answers: { 200: MovesModel } },
  find: {
    summary: 'Tell how far a move is',
    answers: { 200: MoveModel },
    errors: { 404: 'MOVE_NOT_FOUND' },
    params: ['move'],
  },
  cancel: {
    summary: 'Stop a move that can still be undone',
    answers: { 202: MoveModel },
    errors: {
      ...IDEMPOTENCY_ERRORS,
      404: 'MOVE_NOT_FOUND',
      409: 'MOVE_NOT_POSSIBLE, IDEMPOTENCY_IN_PROGRESS',
    },
    headers: ['Idempotency-Key'],
    params: ['move'],
  },
};

/** By the names of the handlers of `AdminTenantUsageController`. */
export const USAGE_CALLS: Readonly<Record<string, DocumentedCall>> = {
  show: {
    summary: 'Tell what a tenant has used in a range of days; for a purged tenant by its id',
    answers: { 200: UsageModel },
    errors: UNKNOWN,
    params: ['tenant'],
  },
};
