import { Module } from '@nestjs/common';
import { OrdersService } from '../../01-orders/orders/orders.service';
import { OrdersController } from './orders.controller';

@Module({ controllers: [OrdersController], providers: [OrdersService] })
export class OrdersModule {}
