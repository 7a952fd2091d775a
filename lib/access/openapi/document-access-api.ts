import { describeApi } from '../../http/openapi/describe-api';
import { MeController } from '../me.controller';
import { TenantKeysController } from '../tenant-keys.controller';
import { API_KEY_SCHEME } from './api-key-scheme';
import { COMMON_ERRORS, KEY_CALLS, ME_CALLS } from './calls';
import { AccessErrorModel, ACCESS_MODELS, TAGGED_MODELS } from './models';

/** Describes `/me` and `/tenant/keys` to `@nestjs/swagger`, if it is installed, for every document made from now on. */
export function documentAccessApi(): void {
  describeApi({
    tag: 'Tenancy access',
    scheme: API_KEY_SCHEME,
    models: ACCESS_MODELS,
    tagged: TAGGED_MODELS,
    gone: '',
    errorModel: AccessErrorModel,
    commonErrors: COMMON_ERRORS,
    controllers: [
      [TenantKeysController, KEY_CALLS],
      [MeController, ME_CALLS],
    ],
  });
}
