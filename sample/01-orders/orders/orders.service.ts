import { Injectable, NotFoundException } from '@nestjs/common';
import { TenantConnection } from 'nestjs-tenancy';
import type { Repository } from 'typeorm';
import type { CreateOrderDto } from './create-order.dto';
import { Order } from './order.entity';

@Injectable()
export class OrdersService {
  constructor(private readonly connection: TenantConnection) {}

  list(): Promise<Order[]> {
    return this.orders.find({ order: { createdAt: 'ASC', id: 'ASC' } });
  }

  async get(id: string): Promise<Order> {
    const order = await this.orders.findOneBy({ id });
    if (!order) throw new NotFoundException(`No order ${id}.`);
    return order;
  }

  create({ description }: CreateOrderDto): Promise<Order> {
    return this.orders.save({ description });
  }

  private get orders(): Repository<Order> {
    return this.connection.getRepository(Order);
  }
}
