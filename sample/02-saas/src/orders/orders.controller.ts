import { Body, Controller, Get, Header, Param, ParseUUIDPipe, Post } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiProduces, ApiSecurity, ApiTags } from '@nestjs/swagger';
import { API_KEY_SCHEME, RequireScopes } from 'nestjs-tenancy/access';
import { RequireFeature } from 'nestjs-tenancy/settings';
import { RateLimitWeight } from 'nestjs-tenancy/throttling';
import { Metered } from 'nestjs-tenancy/usage';
import { CreateOrderDto } from './create-order.dto';
import { Order } from './order.entity';
import { OrdersService } from './orders.service';

@Controller('orders')
@ApiTags('Orders')
@ApiSecurity(API_KEY_SCHEME)
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Get()
  @RequireScopes('orders:read')
  @ApiOkResponse({ type: [Order] })
  list(): Promise<Order[]> {
    return this.orders.list();
  }

  /** For tenants whose feature `exports` is on. It counts as ten requests. */
  @Get('export')
  @RequireScopes('orders:read')
  @RequireFeature('exports')
  @RateLimitWeight(10)
  @Header('Content-Type', 'text/csv')
  @ApiProduces('text/csv')
  async export(): Promise<string> {
    const orders = await this.orders.list();
    const lines = orders.map(({ id, description }) => `${id},"${description.replaceAll('"', '""')}"`);
    return ['id,description', ...lines, ''].join('\n');
  }

  @Get(':id')
  @RequireScopes('orders:read')
  @ApiOkResponse({ type: Order })
  get(@Param('id', new ParseUUIDPipe({ errorHttpStatusCode: 404 })) id: string): Promise<Order> {
    return this.orders.get(id);
  }

  @Post()
  @RequireScopes('orders:write')
  @Metered('orders.created')
  @ApiCreatedResponse({ type: Order })
  create(@Body() order: CreateOrderDto): Promise<Order> {
    return this.orders.create(order);
  }
}
