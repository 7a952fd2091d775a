import { API_KEY_SCHEME } from '../../access/openapi/api-key-scheme';
import { COMMON_ERRORS } from '../../access/openapi/calls';
import { AccessErrorModel } from '../../access/openapi/models';
import { describeApi } from '../../http/openapi/describe-api';
import { RecoveryController } from '../recovery/recovery.controller';
import { TenantSupportController } from '../support/tenant-support.controller';
import { RECOVER_CALLS, SUPPORT_CALLS } from './support-calls';
import { RECOVER_MODELS, SUPPORT_MODELS, TAGGED_SESSIONS } from './support-models';

/** Describes `/tenant/support` and `/recovery` to `@nestjs/swagger`, if it is installed. */
export function documentSupportApi(): void {
  const shared = {
    tag: 'Tenancy members',
    tagged: TAGGED_SESSIONS,
    gone: 'Ended',
    errorModel: AccessErrorModel,
  };
  describeApi({
    ...shared,
    scheme: API_KEY_SCHEME,
    models: SUPPORT_MODELS,
    commonErrors: COMMON_ERRORS,
    controllers: [[TenantSupportController, SUPPORT_CALLS]],
  });
  describeApi({
    ...shared,
    models: RECOVER_MODELS,
    commonErrors: {
      400: 'VALIDATION_FAILED, CREDENTIALS_AMBIGUOUS',
      401: 'UNAUTHENTICATED, TENANT_TOKEN_INVALID',
      503: 'TENANCY_UNAVAILABLE',
    },
    controllers: [[RecoveryController, RECOVER_CALLS]],
  });
}
