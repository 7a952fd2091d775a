import { Module } from '@nestjs/common';
import { fromDomain, fromHeader, fromSubdomain, TenancyModule } from 'nestjs-tenancy';
import { fromApiKey, TenancyAccessModule } from 'nestjs-tenancy/access';
import { TenancyAdminModule } from 'nestjs-tenancy/admin';
import { TenancySettingsModule } from 'nestjs-tenancy/settings';
import { TenancyThrottlingModule } from 'nestjs-tenancy/throttling';
import { TenancyUsageModule } from 'nestjs-tenancy/usage';
import { CreateOrders1700000000000 } from '../01-orders/orders/1700000000000-create-orders';
import { Order } from '../01-orders/orders/order.entity';
import { TenantController } from '../01-orders/tenant.controller';
import { tokenResolvers } from '../01-orders/token-resolvers';
import { HealthController } from './health.controller';
import { OrdersModule } from './orders/orders.module';
import { DEFAULT_PLAN, QUOTAS, RATE_LIMITS } from './plans';
import { SETTINGS } from './settings';

@Module({
  imports: [
    TenancyModule.forRootAsync({
      useFactory: () => ({
        database: { url: process.env.DATABASE_URL },
        entities: [Order],
        migrations: [CreateOrders1700000000000],
        resolvers: [
          fromHeader('x-tenant-id'),
          fromSubdomain(process.env.TENANCY_PARENT_DOMAIN ?? 'localhost'),
          fromDomain(),
          fromApiKey(),
          ...tokenResolvers(),
        ],
      }),
    }),
    TenancyAccessModule.forRoot({ firstKeyScopes: ['keys:*', 'orders:*'] }),
    // After the keys: who shows none uses nothing up.
    TenancyThrottlingModule.forRoot({ plans: RATE_LIMITS, defaultPlan: DEFAULT_PLAN }),
    TenancyUsageModule.forRoot({ plans: QUOTAS, defaultPlan: DEFAULT_PLAN }),
    TenancySettingsModule.forRoot({ settings: SETTINGS }),
    TenancyAdminModule.forRootAsync({
      apiKeys: true,
      usage: true,
      settings: true,
      useFactory: () => ({ masterKey: process.env.TENANCY_MASTER_KEY }),
    }),
    OrdersModule,
  ],
  controllers: [HealthController, TenantController],
})
export class AppModule {}
