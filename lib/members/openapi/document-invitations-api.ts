import { API_KEY_SCHEME } from '../../access/openapi/api-key-scheme';
import { COMMON_ERRORS } from '../../access/openapi/calls';
import { AccessErrorModel } from '../../access/openapi/models';
import { describeApi } from '../../http/openapi/describe-api';
import { InvitedController } from '../invitations/invited.controller';
import { TenantInvitationsController } from '../invitations/tenant-invitations.controller';
import { INVITATION_CALLS, INVITED_CALLS } from './invitation-calls';
import { INVITATION_MODELS, INVITED_MODELS, TAGGED_INVITATIONS } from './invitation-models';

/** Describes `/tenant/invitations` and `/invitations` to `@nestjs/swagger`, if it is installed. */
export function documentInvitationsApi(): void {
  const shared = {
    tag: 'Tenancy members',
    tagged: TAGGED_INVITATIONS,
    gone: 'Declined',
    errorModel: AccessErrorModel,
  };
  describeApi({
    ...shared,
    scheme: API_KEY_SCHEME,
    models: INVITATION_MODELS,
    commonErrors: COMMON_ERRORS,
    controllers: [[TenantInvitationsController, INVITATION_CALLS]],
  });
  describeApi({
    ...shared,
    models: INVITED_MODELS,
    commonErrors: {
      400: 'VALIDATION_FAILED, CREDENTIALS_AMBIGUOUS',
      401: 'UNAUTHENTICATED, TENANT_TOKEN_INVALID',
      503: 'TENANCY_UNAVAILABLE',
    },
    controllers: [[InvitedController, INVITED_CALLS]],
  });
}
