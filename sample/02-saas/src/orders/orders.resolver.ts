import { Args, Mutation, Query, Resolver } from '@nestjs/graphql';
import { RequireScopes } from 'nestjs-tenancy/access';
import { Metered } from 'nestjs-tenancy/usage';
import { CreateOrderDto } from './create-order.dto';
import { Order } from './order.entity';
import { OrdersService } from './orders.service';

/** The same as the controller, with the same scopes and the same quota. */
@Resolver(() => Order)
export class OrdersResolver {
  constructor(private readonly orders: OrdersService) {}

  @Query(() => [Order], { name: 'orders' })
  @RequireScopes('orders:read')
  list(): Promise<Order[]> {
    return this.orders.list();
  }

  @Mutation(() => Order)
  @RequireScopes('orders:write')
  @Metered('orders.created')
  createOrder(@Args('order') order: CreateOrderDto): Promise<Order> {
    return this.orders.create(order);
  }
}
