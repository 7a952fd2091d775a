import { API_KEY_SCHEME } from '../../access/openapi/api-key-scheme';
import { COMMON_ERRORS } from '../../access/openapi/calls';
import { PATCH_BODY } from '../../http/accepted.guard';
import { describeApi } from '../../http/openapi/describe-api';
import { BODY_ERRORS, type DocumentedCall, IDEMPOTENCY_ERRORS } from '../../http/openapi/documented-call';
import { MemberReasonBody } from '../member.dto';
import { MyTenantsController } from '../my-tenants.controller';
import { TenantMembersController, TenantRolesController } from '../tenant-members.controller';
import {
  MemberModel,
  MemberPageModel,
  MembersErrorModel,
  MyTenantsModel,
  OWN_MODELS,
  RolesModel,
  TAGGED_MODELS,
} from './models';

const UNKNOWN = { 404: 'MEMBER_NOT_FOUND' };
const CHANGED = { ...UNKNOWN, 412: 'PRECONDITION_FAILED' };

const action = (summary: string): DocumentedCall => ({
  summary,
  answers: { 200: MemberModel },
  errors: { ...CHANGED, ...BODY_ERRORS, ...IDEMPOTENCY_ERRORS, 409: 'LAST_OWNER, IDEMPOTENCY_IN_PROGRESS' },
  headers: ['Idempotency-Key', 'If-Match'],
  params: ['member'],
  optionalBody: MemberReasonBody,
});

/** By the names of the handlers of `MembersController`. */
export const MEMBER_CALLS: Readonly<Record<string, DocumentedCall>> = {
  add: {
    summary: 'Make a subject a member of the tenant',
    answers: { 201: MemberModel },
    errors: {
      ...BODY_ERRORS,
      ...IDEMPOTENCY_ERRORS,
      402: 'QUOTA_EXCEEDED',
      409: 'MEMBER_EXISTS, MEMBER_LIMIT, ROLE_NOT_IN_PLAN, IDEMPOTENCY_IN_PROGRESS',
    },
    headers: ['Idempotency-Key'],
  },
  list: { summary: 'List members in the order in which they joined', answers: { 200: MemberPageModel } },
  get: {
    summary: 'Show a member',
    answers: { 200: MemberModel, 304: undefined },
    errors: UNKNOWN,
    headers: ['If-None-Match'],
    params: ['member'],
  },
  update: {
    summary: 'Change the address, name, roles or scopes of a member',
    answers: { 200: MemberModel },
    errors: { ...CHANGED, ...BODY_ERRORS, 409: 'LAST_OWNER, ROLE_NOT_IN_PLAN' },
    headers: ['If-Match'],
    params: ['member'],
    consumes: PATCH_BODY,
  },
  block: action('Refuse the requests of a member until they are unblocked'),
  unblock: action('Let a blocked member in again'),
  remove: {
    summary: 'End a membership',
    answers: { 204: undefined },
    errors: { ...CHANGED, 409: 'LAST_OWNER' },
    headers: ['If-Match'],
    params: ['member'],
  },
};

/** By the name of the handler of the controllers of roles. */
export const ROLE_CALLS: Readonly<Record<string, DocumentedCall>> = {
  list: {
    summary: 'Tell which roles there are, and which of them the plan of the tenant includes',
    answers: { 200: RolesModel },
  },
};

/** Describes the routes to `@nestjs/swagger`, if it is installed, for every document made from now on. */
export function documentMembersApi(): void {
  describeApi({
    tag: 'Tenancy members',
    scheme: API_KEY_SCHEME,
    models: OWN_MODELS,
    tagged: TAGGED_MODELS,
    gone: 'Removed',
    errorModel: MembersErrorModel,
    commonErrors: {
      ...COMMON_ERRORS,
      403: `${COMMON_ERRORS[403]}, NOT_A_MEMBER, ROLE_MISSING`,
    },
    controllers: [
      [TenantMembersController, MEMBER_CALLS],
      [TenantRolesController, ROLE_CALLS],
      [
        MyTenantsController,
        {
          list: {
            summary: 'Tell where I am a member, and how a request names one of these tenants',
            answers: { 200: MyTenantsModel },
          },
        },
      ],
    ],
  });
}
