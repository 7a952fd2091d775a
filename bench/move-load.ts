import type { INestApplicationContext } from '@nestjs/common';
import { type Tenant, TenantConnection, TenantContext } from '../lib/index';
import { quantile } from './measure';

const WRITERS = 8;

/** What callers felt of a move, and what of their writes is there after it. */
export interface MoveLoad {
  readonly writes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The longest that one of them took: how long the tenant stood still for its callers. */
  readonly maxMs: number;
  /** Writes that were answered as done and are not there. */
  readonly lost: number;
  /** Writes that are there more than once. */
  readonly doubled: number;
}

/** Writes rows of a tenant, each with a number of its own, until `work` has ended. A write that was refused is sent again. */
export async function writeDuring(
  app: INestApplicationContext,
  tenant: Tenant,
  work: () => Promise<unknown>,
): Promise<MoveLoad> {
  const connection = app.get(TenantConnection);
  const as = <T>(sql: string, values: unknown[] = []) =>
    app.get(TenantContext).run(tenant, () => connection.query<T[]>(sql, values));
  const done = new Set<number>();
  const latencies: number[] = [];
  let next = 0;
  let isOver = false;
  await as('TRUNCATE entry');
  const write = async () => {
    const number = next++;
    const start = performance.now();
    await untilDone(() => as('INSERT INTO entry (number) VALUES ($1)', [number]));
    done.add(number);
    latencies.push(performance.now() - start);
  };
  const writer = async () => {
    while (!isOver) await write();
    // One more, which finds the tenant wherever it is now.
    await write();
  };
  const writing = Promise.all(Array.from({ length: WRITERS }, writer));
  await work().finally(() => (isOver = true));
  await writing;
  const found = await as<{ number: number; times: number }>(
    'SELECT number, count(*)::integer AS times FROM entry GROUP BY number',
  );
  const times = new Map(found.map(({ number, times: count }) => [number, count]));
  latencies.sort((one, other) => one - other);
  return {
    writes: done.size,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    maxMs: latencies.at(-1)!,
    lost: [...done].filter((number) => !times.has(number)).length,
    doubled: found.filter(({ times: count }) => count > 1).length,
  };
}

/** As a client does that is told to try again: nothing was run then. */
async function untilDone(write: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await write();
      return;
    } catch (error) {
      // TypeORM's error has the properties of ours.
      if ((error as { statusCode?: number }).statusCode !== 503) throw error;
    }
  }
}
