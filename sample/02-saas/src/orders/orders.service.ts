import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectTenantRepository } from 'nestjs-tenancy';
import type { Repository } from 'typeorm';
import type { CreateOrderDto } from './create-order.dto';
import { Order } from './order.entity';

/** Orders of the tenant that asks. */
@Injectable()
export class OrdersService {
  constructor(@InjectTenantRepository(Order) private readonly orders: Repository<Order>) {}

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
}
