import { Module } from '@nestjs/common';
import { fromDomain, fromHeader, fromSubdomain, TenancyModule } from 'nestjs-tenancy';
import { TenancyAdminModule } from 'nestjs-tenancy/admin';
import { HealthController } from './health.controller';
import { CreateOrders1700000000000 } from './orders/1700000000000-create-orders';
import { Order } from './orders/order.entity';
import { OrdersModule } from './orders/orders.module';
import { TenantController } from './tenant.controller';
import { tokenResolvers } from './token-resolvers';

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
          ...tokenResolvers(),
        ],
      }),
    }),
    TenancyAdminModule.forRootAsync({
      useFactory: () => ({ masterKey: process.env.TENANCY_MASTER_KEY }),
    }),
    OrdersModule,
  ],
  controllers: [HealthController, TenantController],
})
export class AppModule {}
