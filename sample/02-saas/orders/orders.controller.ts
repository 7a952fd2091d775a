import { Body, Controller, Get, Header, Param, ParseUUIDPipe, Post, ValidationPipe } from '@nestjs/common';
import { RequireScopes } from 'nestjs-tenancy/access';
import { RequireFeature } from 'nestjs-tenancy/settings';
import { RateLimitWeight } from 'nestjs-tenancy/throttling';
import { Metered } from 'nestjs-tenancy/usage';
import { CreateOrderDto } from '../../01-orders/orders/create-order.dto';
import { OrdersService } from '../../01-orders/orders/orders.service';

/** The orders of the first sample, for who may read or write them, as many as the plan allows. */
@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Get()
  @RequireScopes('orders:read')
  list() {
    return this.orders.list();
  }

  /** For those who have bought it; it counts as ten. */
  @Get('export')
  @RequireScopes('orders:read')
  @RequireFeature('exports')
  @RateLimitWeight(10)
  @Header('content-type', 'text/csv')
  async export() {
    const orders = await this.orders.list();
    const lines = orders.map(({ id, description }) => `${id},"${description.replaceAll('"', '""')}"`);
    return ['id,description', ...lines, ''].join('\n');
  }

  @Get(':id')
  @RequireScopes('orders:read')
  get(@Param('id', new ParseUUIDPipe({ errorHttpStatusCode: 404 })) id: string) {
    return this.orders.get(id);
  }

  @Post()
  @RequireScopes('orders:write')
  @Metered('orders.created')
  create(@Body(new ValidationPipe({ whitelist: true })) order: CreateOrderDto) {
    return this.orders.create(order);
  }
}
