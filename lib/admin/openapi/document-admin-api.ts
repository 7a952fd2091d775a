import { documentKeys } from '../../access/openapi/document-access-api';
import { describeApi } from '../../http/openapi/describe-api';
import { MigrationsController } from '../migrations.controller';
import { SettingsController } from '../settings.controller';
import { TenantApiKeysController } from '../tenant-api-keys.controller';
import { TenantAuditController } from '../tenant-audit.controller';
import { TenantDomainsController } from '../tenant-domains.controller';
import { AdminTenantUsageController } from '../tenant-usage.controller';
import { TenantsController } from '../tenants.controller';
import {
  AUDIT_CALLS,
  COMMON_ERRORS,
  DOMAIN_CALLS,
  MIGRATION_CALLS,
  TENANT_CALLS,
  USAGE_CALLS,
} from './calls';
import { MASTER_KEY_SCHEME } from './master-key-scheme';
import { ErrorModel, MODELS, SettingModel, SettingsModel, TenantModel } from './models';
import { SETTING_CALLS } from './setting-calls';
import { USAGE_MODELS } from './usage-models';

/** Describes the admin API to `@nestjs/swagger`, where that is installed, for every document made from now on. */
export async function documentAdminApi(): Promise<void> {
  await documentKeys();
  await describeApi({
    tag: 'Tenancy admin',
    scheme: MASTER_KEY_SCHEME,
    models: [...MODELS, ...USAGE_MODELS],
    tagged: [TenantModel, SettingModel, SettingsModel],
    gone: 'Purged',
    errorModel: ErrorModel,
    commonErrors: COMMON_ERRORS,
    controllers: [
      [TenantsController, TENANT_CALLS],
      [TenantDomainsController, DOMAIN_CALLS],
      [TenantAuditController, AUDIT_CALLS],
      [MigrationsController, MIGRATION_CALLS],
      [AdminTenantUsageController, USAGE_CALLS],
      [TenantApiKeysController, {}],
      [SettingsController, SETTING_CALLS],
    ],
  });
}
