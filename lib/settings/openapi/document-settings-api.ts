import { describeApi } from '../../http/openapi/describe-api';
import { ERROR_FIELDS } from '../../http/openapi/fields';
import { TenantSettingsController } from '../tenant-settings.controller';

/** What answers look like. In the code they are interfaces, which do not exist at run time. */
class OwnSettingsModel {}
class SettingsErrorModel {}

/** Describes `GET /tenant/settings` to `@nestjs/swagger`, if it is installed, for every document made from now on. */
export function documentSettingsApi(): void {
  describeApi({
    tag: 'Tenancy settings',
    models: [
      { type: OwnSettingsModel, name: 'OwnSettings', fields: {} },
      { type: SettingsErrorModel, name: 'SettingsError', fields: ERROR_FIELDS },
    ],
    tagged: [OwnSettingsModel],
    gone: '',
    errorModel: SettingsErrorModel,
    commonErrors: { 503: 'TENANCY_UNAVAILABLE' },
    controllers: [
      [
        TenantSettingsController,
        {
          list: {
            summary: 'Tell the settings that the tenant may read, by their keys',
            answers: { 200: OwnSettingsModel, 304: undefined },
            errors: { 400: 'TENANT_MISSING', 403: 'TENANT_NOT_ACTIVE', 404: 'TENANT_NOT_FOUND' },
            headers: ['If-None-Match'],
          },
        },
      ],
    ],
  });
}
