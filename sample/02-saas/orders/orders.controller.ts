import { Body, Controller, Get, Param, ParseUUIDPipe, Post, ValidationPipe } from '@nestjs/common';
import { RequireScopes } from 'nestjs-tenancy/access';
import { CreateOrderDto } from '../../01-orders/orders/create-order.dto';
import { OrdersService } from '../../01-orders/orders/orders.service';

/** The orders of the first sample, for who may read or write them. */
@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Get()
  @RequireScopes('orders:read')
  list() {
    return this.orders.list();
  }

  @Get(':id')
  @RequireScopes('orders:read')
  get(@Param('id', new ParseUUIDPipe({ errorHttpStatusCode: 404 })) id: string) {
    return this.orders.get(id);
  }

  @Post()
  @RequireScopes('orders:write')
  create(@Body(new ValidationPipe({ whitelist: true })) order: CreateOrderDto) {
    return this.orders.create(order);
  }
}
