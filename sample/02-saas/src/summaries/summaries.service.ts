import { Injectable } from '@nestjs/common';
import { TenantConnection } from 'nestjs-tenancy';
import { DailySummary } from './daily-summary.entity';

@Injectable()
export class SummariesService {
  constructor(private readonly connection: TenantConnection) {}

  list(): Promise<DailySummary[]> {
    return this.connection.getRepository(DailySummary).find({ order: { day: 'DESC' }, take: 31 });
  }

  /** Counts the orders of a day of UTC, `2026-11-25`. Done again, it puts the new count in place of the old one. */
  async write(day: string): Promise<void> {
    await this.connection.query(
      `INSERT INTO daily_summaries (day, orders)
       SELECT $1::date, count(*) FROM orders
       WHERE created_at >= $1::timestamp AT TIME ZONE 'UTC'
         AND created_at < ($1::timestamp + interval '1 day') AT TIME ZONE 'UTC'
       ON CONFLICT (day) DO UPDATE SET orders = excluded.orders`,
      [day],
    );
  }
}
