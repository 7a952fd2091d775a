import { Module } from '@nestjs/common';
import { TenancyModule } from 'nestjs-tenancy';
import { Order } from './order.entity';
import { OrdersController } from './orders.controller';
import { OrdersResolver } from './orders.resolver';
import { OrdersService } from './orders.service';

@Module({
  imports: [TenancyModule.forFeature([Order])],
  controllers: [OrdersController],
  providers: [OrdersService, OrdersResolver],
})
export class OrdersModule {}
