import { Module } from '@nestjs/common';
import { fromDomain, fromHeader, fromSubdomain, TenancyModule } from 'nestjs-tenancy';
import { fromApiKey, TenancyAccessModule } from 'nestjs-tenancy/access';
import { TenancyAdminModule } from 'nestjs-tenancy/admin';
import { CreateOrders1700000000000 } from '../01-orders/orders/1700000000000-create-orders';
import { Order } from '../01-orders/orders/order.entity';
import { TenantController } from '../01-orders/tenant.controller';
import { tokenResolvers } from '../01-orders/token-resolvers';
import { HealthController } from './health.controller';
import { OrdersModule } from './orders/orders.module';

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
    TenancyAdminModule.forRootAsync({
      apiKeys: true,
      useFactory: () => ({ masterKey: process.env.TENANCY_MASTER_KEY }),
    }),
    OrdersModule,
  ],
  controllers: [HealthController, TenantController],
})
export class AppModule {}
