import { describeApi } from '../../http/openapi/describe-api';
import { KeysController } from '../keys.controller';
import { MeController } from '../me.controller';
import { TenantKeysController } from '../tenant-keys.controller';
import { API_KEY_SCHEME } from './api-key-scheme';
import { COMMON_ERRORS, KEY_CALLS, KEY_ERRORS, ME_CALLS } from './calls';
import { AccessErrorModel, ApiKeyModel, KEY_MODELS, PRINCIPAL_MODELS, ShownApiKeyModel } from './models';

const SHARED = { gone: '', errorModel: AccessErrorModel };

/** Describes the calls of keys, wherever they are mounted, to `@nestjs/swagger`, where that is installed. */
export function documentKeys(): Promise<void> {
  return describeApi({
    ...SHARED,
    models: KEY_MODELS,
    tagged: [ApiKeyModel, ShownApiKeyModel],
    commonErrors: KEY_ERRORS,
    controllers: [[KeysController, KEY_CALLS]],
  });
}

/** Describes `/me` and `/tenant/keys` for every document made from now on. */
export async function documentAccessApi(): Promise<void> {
  await documentKeys();
  await describeApi({
    ...SHARED,
    tag: 'Tenancy access',
    scheme: API_KEY_SCHEME,
    models: PRINCIPAL_MODELS,
    tagged: [],
    commonErrors: COMMON_ERRORS,
    controllers: [
      [MeController, ME_CALLS],
      [TenantKeysController, {}],
    ],
  });
}
