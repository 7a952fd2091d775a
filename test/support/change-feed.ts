import { TenantChangeFeed } from '../../lib/tenant/tenant-changes';
import type { TestApp } from './test-app';

/** Asks until the answer is as wanted; gives the milliseconds that took. */
export async function felt(ask: () => Promise<boolean>): Promise<number> {
  const start = performance.now();
  while (!(await ask())) if (performance.now() - start > 5_000) return Infinity;
  return performance.now() - start;
}

/** Waits until the application's feed has told all that was committed before now. */
export async function hearing({ app }: TestApp): Promise<void> {
  const feed = app.get(TenantChangeFeed);
  const now = performance.now();
  while (feed.provenAt < now) await new Promise((resolve) => setImmediate(resolve));
}
