import { Order } from '../orders/order.entity';
import { DailySummary } from '../summaries/daily-summary.entity';
import { CreateOrders1700000000000 } from './migrations/1700000000000-create-orders';
import { CreateDailySummaries1700000001000 } from './migrations/1700000001000-create-daily-summaries';

/** What each tenant's schema has. */
export const ENTITIES = [Order, DailySummary];
export const MIGRATIONS = [CreateOrders1700000000000, CreateDailySummaries1700000001000];
