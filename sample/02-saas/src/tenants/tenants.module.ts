import { Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { TenancyModule } from 'nestjs-tenancy';
import { fromApiKey, TenancyAccessModule } from 'nestjs-tenancy/access';
import { TenancyAdminModule } from 'nestjs-tenancy/admin';
import { TenancySettingsModule } from 'nestjs-tenancy/settings';
import { TenancyThrottlingModule } from 'nestjs-tenancy/throttling';
import { TenancyUsageModule } from 'nestjs-tenancy/usage';
import { ENTITIES, MIGRATIONS } from '../database/schema';
import { DEFAULT_PLAN, QUOTAS, RATE_LIMITS } from './plans';
import { FIRST_KEY_SCOPES } from './scopes';
import { SETTINGS } from './settings';

/** Who the tenants are, how they show it, and what they may do. */
@Module({
  imports: [
    TenancyModule.forRoot({
      entities: ENTITIES,
      migrations: MIGRATIONS,
      resolvers: [fromApiKey()],
      // A sign-up takes one of them, and waits for nothing.
      spares: { count: 2 },
    }),
    TenancyAccessModule.forRoot({ firstKeyScopes: FIRST_KEY_SCOPES }),
    // After the keys: a request without one uses nothing up.
    TenancyThrottlingModule.forRoot({ plans: RATE_LIMITS, defaultPlan: DEFAULT_PLAN }),
    TenancyUsageModule.forRoot({ plans: QUOTAS, defaultPlan: DEFAULT_PLAN }),
    TenancySettingsModule.forRoot({ settings: SETTINGS }),
    TenancyAdminModule.forRootAsync({
      apiKeys: true,
      usage: true,
      settings: true,
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({ masterKey: config.get<string>('TENANCY_MASTER_KEY') }),
    }),
  ],
})
export class TenantsModule {}
