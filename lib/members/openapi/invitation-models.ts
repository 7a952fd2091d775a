import type { Model } from '../../http/openapi/describe-api';
import { DATE, ID, NEXT_CURSOR, optional, PAGE } from '../../http/openapi/fields';
import { MAX_REASON_LENGTH } from '../../provisioning/tenant-input';
import {
  CreateInvitationBody,
  InvitationQueryFields,
  InvitationReasonBody,
  InvitationSecretBody,
} from '../invitations/invitation.dto';
import { INVITATION_STATUSES } from '../invitations/invitation';
import { MAX_EMAIL_LENGTH, MAX_ROLES, MAX_SCOPES } from '../member-input';

/** What answers look like. In the code they are interfaces, which do not exist at run time. */
export class InvitationModel {}
export class ShownInvitationModel {}
export class InvitationPageModel {}
export class JoinedModel {}

const EMAIL = { type: String, maxLength: MAX_EMAIL_LENGTH, example: 'ann@example.com' };
const ROLES = { type: String, isArray: true, maxItems: MAX_ROLES, example: ['member'] };
const SCOPES = { type: String, isArray: true, maxItems: MAX_SCOPES, example: ['orders:read'] };
const ANY_EMAIL = {
  type: Boolean,
  description: 'Whether somebody may accept with another address, or with one that nobody has verified',
};
const SECRET = { type: String, example: 'inv_01a2…' };

const INVITATION = {
  id: ID,
  tenantId: ID,
  email: EMAIL,
  anyEmail: ANY_EMAIL,
  roles: ROLES,
  scopes: SCOPES,
  status: { type: String, enum: [...INVITATION_STATUSES] },
  invitedBy: { type: String, nullable: true },
  memberId: { ...ID, nullable: true, description: 'The member who came of it' },
  expiresAt: DATE,
  createdAt: DATE,
  updatedAt: DATE,
};

export const INVITATION_MODELS: readonly Model[] = [
  { type: InvitationModel, name: 'Invitation', fields: INVITATION },
  {
    type: ShownInvitationModel,
    name: 'ShownInvitation',
    fields: {
      ...INVITATION,
      secret: { ...SECRET, nullable: true, description: 'What accepts it, shown this once' },
      isMailed: {
        type: Boolean,
        nullable: true,
        description: 'Whether the mailer took the mail; null without a mailer',
      },
    },
  },
  {
    type: InvitationPageModel,
    name: 'InvitationPage',
    fields: { data: { type: InvitationModel, isArray: true }, nextCursor: NEXT_CURSOR },
  },
  {
    type: CreateInvitationBody,
    name: 'CreateInvitation',
    fields: {
      email: EMAIL,
      roles: optional({ ...ROLES, description: "Default ['member']" }),
      scopes: optional({ ...SCOPES, description: 'Default none' }),
      anyEmail: optional({ ...ANY_EMAIL, default: false }),
    },
  },
  {
    type: InvitationReasonBody,
    name: 'InvitationReason',
    fields: {
      reason: optional({
        type: String,
        maxLength: MAX_REASON_LENGTH,
        description: 'Kept in the record of the tenant',
      }),
    },
  },
  {
    type: InvitationQueryFields,
    fields: {
      ...PAGE,
      status: optional({ type: String, enum: ['pending', 'all'], default: 'pending' }),
    },
  },
];

export const INVITED_MODELS: readonly Model[] = [
  { type: InvitationSecretBody, name: 'InvitationSecret', fields: { secret: SECRET } },
  {
    type: JoinedModel,
    name: 'Joined',
    fields: {
      tenant: {
        type: 'object',
        properties: { id: { type: 'string' }, slug: { type: 'string' }, name: { type: 'string' } },
      },
      member: {
        type: 'object',
        properties: {
          id: { type: 'string', format: 'uuid' },
          roles: { type: 'array', items: { type: 'string' } },
          scopes: { type: 'array', items: { type: 'string' } },
          joinedAt: { type: 'string', format: 'date-time' },
        },
      },
    },
  },
];

/** Answers with an `ETag`. */
export const TAGGED_INVITATIONS = [InvitationModel, ShownInvitationModel];
