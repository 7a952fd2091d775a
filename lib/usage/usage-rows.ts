import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { REGISTRY_DATA_SOURCE } from '../registry/registry';
import { askRegistry } from '../registry/store/registry-transaction';
import { monthWith, type UsageBatch, type UsageMonth } from './usage-batch';
import { indexInMonth } from './usage-time';
import type { Quota } from './usage.options';

/** A batch with a number, so that the registry adds it once, however often it is sent. */
export interface NumberedBatch {
  readonly instanceId: string;
  readonly batch: number;
  readonly counts: UsageBatch;
}

export interface StoredMonth extends UsageMonth {
  readonly tenantId: string;
}

interface Row {
  readonly tenantId: string;
  readonly metric: string;
  readonly month: string;
  /** PostgreSQL's bigint arrives as text. */
  readonly total: string;
  readonly days: readonly string[];
}

const COLUMNS = `t.tenant_id AS "tenantId", t.metric, to_char(t.month, 'YYYY-MM-DD') AS month, t.total, t.days`;

/** Longer than any batch is sent again. */
const FORGET_INSTANCES_AFTER = '7 days';

/** The table of what tenants have used. */
@Injectable()
export class UsageRows {
  constructor(@InjectDataSource(REGISTRY_DATA_SOURCE) private readonly registry: DataSource) {}

  /**
   * Adds a batch, and returns the new sums; none if it was added before. All instances lock the rows in the same order,
   * so that they cannot deadlock.
   */
  async add({ instanceId, batch, counts }: NumberedBatch): Promise<StoredMonth[]> {
    const rows = counts.months.map(({ tenant, metric, month, total, days }) => ({
      tenant_id: tenant.id,
      ...{ metric, month, total, days },
    }));
    return this.#query(
      (schema) => `
        WITH batch AS (
          INSERT INTO ${schema}.usage_flushes AS f (instance_id, batch) VALUES ($1, $2)
          ON CONFLICT (instance_id) DO UPDATE SET batch = excluded.batch, at = clock_timestamp()
          WHERE f.batch < excluded.batch
          RETURNING f.batch)
        INSERT INTO ${schema}.usage_months AS t (tenant_id, metric, month, total, days)
        SELECT c.tenant_id, c.metric, c.month, c.total, c.days
        FROM json_to_recordset($3) AS c (tenant_id uuid, metric text, month date, total bigint, days bigint[])
        WHERE EXISTS (SELECT FROM batch)
        ORDER BY c.tenant_id, c.month, c.metric
        ON CONFLICT (tenant_id, month, metric) DO UPDATE SET
          total = t.total + excluded.total,
          days = ARRAY(SELECT one + other FROM unnest(t.days, excluded.days) WITH ORDINALITY AS d (one, other, n) ORDER BY n)
        RETURNING ${COLUMNS}`,
      [instanceId, batch, JSON.stringify(rows)],
    );
  }

  /**
   * Adds the amount if it does not exceed the quota, and returns the new sums. It is one statement that locks one row.
   */
  async reserve(
    tenantId: string,
    metric: string,
    { amount, day, quota }: { readonly amount: number; readonly day: string; readonly quota: Quota },
  ): Promise<StoredMonth | undefined> {
    const index = indexInMonth(day) + 1;
    const { month, days } = monthWith(metric, day, amount);
    const used = quota.per === 'day' ? 't.days[$6]' : 't.total';
    const [row] = await this.#query(
      (schema) => `
        INSERT INTO ${schema}.usage_months AS t (tenant_id, metric, month, total, days)
        SELECT $1, $2, $3, $4, $5 WHERE $4::bigint <= $7::bigint
        ON CONFLICT (tenant_id, month, metric) DO UPDATE SET
          total = t.total + excluded.total, days[$6] = t.days[$6] + excluded.days[$6]
        WHERE ${used} <= $7::bigint - excluded.total
        RETURNING ${COLUMNS}`,
      [tenantId, metric, month, amount, days, index, quota.limit],
    );
    return row;
  }

  /** All months with at least one day in the range. */
  read(tenantId: string, from: string, to: string): Promise<StoredMonth[]> {
    return this.#query(
      (schema) => `
        SELECT ${COLUMNS} FROM ${schema}.usage_months t
        WHERE t.tenant_id = $1 AND t.month BETWEEN date_trunc('month', $2::date) AND $3::date
        ORDER BY t.metric, t.month`,
      [tenantId, from, to],
    );
  }

  /** Whether anything was ever counted for the tenant. */
  async has(tenantId: string): Promise<boolean> {
    const found = await this.#run<unknown[]>(
      (schema) => `SELECT FROM ${schema}.usage_months WHERE tenant_id = $1 LIMIT 1`,
      [tenantId],
    );
    return found.length > 0;
  }

  async forgetInstances(): Promise<void> {
    await this.#run(
      (schema) =>
        `DELETE FROM ${schema}.usage_flushes WHERE at < clock_timestamp() - interval '${FORGET_INSTANCES_AFTER}'`,
    );
  }

  async #query(sql: (schema: string) => string, parameters: unknown[]): Promise<StoredMonth[]> {
    return (await this.#run<Row[]>(sql, parameters)).map(stored);
  }

  /** @throws TenancyUnavailableError when the registry cannot be reached */
  #run<Result>(sql: (schema: string) => string, parameters: unknown[] = []): Promise<Result> {
    return askRegistry(this.registry, sql, parameters);
  }
}

function stored({ total, days, ...row }: Row): StoredMonth {
  return { ...row, total: Number(total), days: days.map(Number) };
}
