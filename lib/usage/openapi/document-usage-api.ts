import { describeApi } from '../../http/openapi/describe-api';
import { ERROR_FIELDS } from '../../http/openapi/fields';
import { TenantUsageController } from '../tenant-usage.controller';
import { USAGE_FIELDS, USAGE_QUERY } from './models';

/** What answers look like. In the code they are interfaces, which do not exist at run time. */
class OwnUsageModel {}
class UsageErrorModel {}

/** Describes `GET /tenant/usage` to `@nestjs/swagger`, if it is installed, for every document made from now on. */
export function documentUsageApi(): void {
  describeApi({
    tag: 'Tenancy usage',
    models: [
      { type: OwnUsageModel, name: 'OwnUsage', fields: USAGE_FIELDS },
      { type: UsageErrorModel, name: 'UsageError', fields: ERROR_FIELDS },
      USAGE_QUERY,
    ],
    tagged: [],
    gone: '',
    errorModel: UsageErrorModel,
    commonErrors: { 503: 'TENANCY_UNAVAILABLE' },
    controllers: [
      [
        TenantUsageController,
        {
          show: {
            summary: 'Tell what the tenant has used, and what is left of its quotas',
            answers: { 200: OwnUsageModel },
            errors: {
              400: 'VALIDATION_FAILED, TENANT_MISSING',
              403: 'TENANT_NOT_ACTIVE',
              404: 'TENANT_NOT_FOUND',
            },
          },
        },
      ],
    ],
  });
}
