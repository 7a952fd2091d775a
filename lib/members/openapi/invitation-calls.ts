import { BODY_ERRORS, type DocumentedCall, IDEMPOTENCY_ERRORS } from '../../http/openapi/documented-call';
import { InvitationReasonBody } from '../invitations/invitation.dto';
import { InvitationModel, InvitationPageModel, JoinedModel, ShownInvitationModel } from './invitation-models';

const UNKNOWN = { 404: 'INVITATION_NOT_FOUND' };
const CHANGED = { ...UNKNOWN, 410: 'INVITATION_ENDED', 412: 'PRECONDITION_FAILED' };

/** By the names of the handlers of `InvitationsController`. */
export const INVITATION_CALLS: Readonly<Record<string, DocumentedCall>> = {
  create: {
    summary: 'Invite an address; the secret is shown this once',
    answers: { 201: ShownInvitationModel },
    errors: {
      ...BODY_ERRORS,
      ...IDEMPOTENCY_ERRORS,
      409: 'INVITATION_PENDING, INVITATION_LIMIT, ROLE_NOT_IN_PLAN, IDEMPOTENCY_IN_PROGRESS',
    },
    headers: ['Idempotency-Key'],
  },
  list: {
    summary: 'List pending invitations in the order in which they were made',
    answers: { 200: InvitationPageModel },
  },
  get: {
    summary: 'Show an invitation',
    answers: { 200: InvitationModel, 304: undefined },
    errors: UNKNOWN,
    headers: ['If-None-Match'],
    params: ['invitation'],
  },
  resend: {
    summary: 'Give an invitation a new secret and its whole time anew; the secret before is dead',
    answers: { 200: ShownInvitationModel },
    errors: {
      ...CHANGED,
      ...BODY_ERRORS,
      ...IDEMPOTENCY_ERRORS,
      409: 'INVITATION_PENDING, INVITATION_LIMIT, IDEMPOTENCY_IN_PROGRESS',
    },
    headers: ['Idempotency-Key', 'If-Match'],
    params: ['invitation'],
    optionalBody: InvitationReasonBody,
  },
  revoke: {
    summary: 'End an invitation',
    answers: { 200: InvitationModel },
    errors: CHANGED,
    headers: ['If-Match'],
    params: ['invitation'],
  },
};

/** By the names of the handlers of `InvitedController`. */
export const INVITED_CALLS: Readonly<Record<string, DocumentedCall>> = {
  accept: {
    summary: 'Become a member of the tenant that has invited me',
    answers: { 201: JoinedModel },
    errors: {
      ...BODY_ERRORS,
      ...IDEMPOTENCY_ERRORS,
      403: 'INVITATION_NOT_YOURS, TENANT_NOT_ACTIVE',
      404: 'INVITATION_NOT_FOUND',
      409: 'MEMBER_EXISTS, MEMBER_LIMIT, IDEMPOTENCY_IN_PROGRESS',
      410: 'INVITATION_ENDED',
    },
    headers: ['Idempotency-Key'],
  },
  decline: {
    summary: 'End an invitation that I do not want; the secret alone is enough',
    answers: { 204: undefined },
    errors: { ...BODY_ERRORS, 404: 'INVITATION_NOT_FOUND', 410: 'INVITATION_ENDED' },
  },
};
