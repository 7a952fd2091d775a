import type { Model } from '../../http/openapi/describe-api';
import { DATE, ERROR_FIELDS, ID, NEXT_CURSOR, optional, PAGE } from '../../http/openapi/fields';
import { PageQuery } from '../../http/page-query';
import { MAX_REASON_LENGTH } from '../../provisioning/tenant-input';
import { MEMBER_STATUSES } from '../member';
import { AddMemberBody, MemberReasonBody, MembersQuery, UpdateMemberBody } from '../member.dto';
import {
  MAX_EMAIL_LENGTH,
  MAX_ISSUER_LENGTH,
  MAX_MEMBER_NAME_LENGTH,
  MAX_ROLES,
  MAX_SCOPES,
  MAX_SUBJECT_LENGTH,
} from '../member-input';

/** What answers look like. In the code they are interfaces, which do not exist at run time. */
export class MemberModel {}
export class MemberPageModel {}
export class RolesModel {}
export class MyTenantsModel {}
export class MembersErrorModel {}

const SUBJECT = { type: String, minLength: 1, maxLength: MAX_SUBJECT_LENGTH, example: '24400320' };
const ISSUER = { type: String, maxLength: MAX_ISSUER_LENGTH, example: 'https://login.example' };
const EMAIL = { type: String, maxLength: MAX_EMAIL_LENGTH, nullable: true, example: 'ann@example.com' };
const NAME = { type: String, minLength: 1, maxLength: MAX_MEMBER_NAME_LENGTH, nullable: true };
const ROLES = { type: String, isArray: true, maxItems: MAX_ROLES, example: ['member'] };
const SCOPES = { type: String, isArray: true, maxItems: MAX_SCOPES, example: ['orders:read'] };

const list = (properties: object) => ({ type: 'array', items: { type: 'object', properties } });
const TEXTS = { type: 'array', items: { type: 'string' } };
const UUID = { type: 'string', format: 'uuid' };

export const MEMBER_MODELS: readonly Model[] = [
  {
    type: MemberModel,
    name: 'Member',
    fields: {
      id: ID,
      tenantId: ID,
      issuer: { ...ISSUER, description: 'The iss of their tokens; empty for a subject of the application' },
      subject: SUBJECT,
      email: EMAIL,
      name: NAME,
      roles: { ...ROLES, description: 'As they were given; GET …/roles tells which count' },
      scopes: { ...SCOPES, description: 'Besides those of the roles' },
      status: { type: String, enum: [...MEMBER_STATUSES] },
      joinedAt: DATE,
      updatedAt: DATE,
      lastSeenAt: { ...DATE, nullable: true },
    },
  },
  {
    type: MemberPageModel,
    name: 'MemberPage',
    fields: { data: { type: MemberModel, isArray: true }, nextCursor: NEXT_CURSOR },
  },
  {
    type: RolesModel,
    name: 'Roles',
    fields: {
      data: list({ name: { type: 'string' }, scopes: TEXTS, isIncluded: { type: 'boolean' } }),
    },
  },
  {
    type: AddMemberBody,
    name: 'AddMember',
    fields: {
      subject: SUBJECT,
      issuer: optional(ISSUER),
      email: optional(EMAIL),
      name: optional(NAME),
      roles: optional({ ...ROLES, description: 'Default: member' }),
      scopes: optional(SCOPES),
    },
  },
  {
    type: UpdateMemberBody,
    name: 'UpdateMember',
    fields: {
      email: optional(EMAIL),
      name: optional(NAME),
      roles: optional(ROLES),
      scopes: optional(SCOPES),
    },
  },
  {
    type: MemberReasonBody,
    name: 'MemberReason',
    fields: {
      reason: optional({ type: String, maxLength: MAX_REASON_LENGTH, description: 'Kept with the event' }),
    },
  },
  {
    type: MembersQuery,
    fields: { ...PAGE, email: optional({ type: String, description: 'Only those with this address' }) },
  },
];

export const OWN_MODELS: readonly Model[] = [
  ...MEMBER_MODELS,
  { type: PageQuery, fields: PAGE },
  { type: MembersErrorModel, name: 'MembersError', fields: ERROR_FIELDS },
  {
    type: MyTenantsModel,
    name: 'MyTenants',
    fields: {
      data: list({
        tenant: {
          type: 'object',
          properties: { id: UUID, slug: { type: 'string' }, name: { type: 'string' }, domains: TEXTS },
        },
        roles: TEXTS,
        scopes: TEXTS,
        joinedAt: { type: 'string', format: 'date-time' },
      }),
      nextCursor: NEXT_CURSOR,
      chosenBy: {
        type: String,
        isArray: true,
        description: 'The headers by which a request says for which of them it is',
      },
    },
  },
];

/** Answers with an `ETag`. */
export const TAGGED_MODELS = [MemberModel];
