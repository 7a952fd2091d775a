import { TenantChangeFeed } from '../../lib/registry/changes/tenant-changes';
import type { TestApp } from './test-app';

/** Asks until the answer is as wanted; gives the milliseconds that took, and Infinity after `limitMs`. */
export async function felt(ask: () => Promise<boolean>, limitMs = 5_000): Promise<number> {
  const start = performance.now();
  while (!(await ask())) if (performance.now() - start > limitMs) return Infinity;
  return performance.now() - start;
}

/** Waits until the application's feed has told all that was committed before now. */
export async function hearing({ app }: TestApp): Promise<void> {
  const feed = app.get(TenantChangeFeed);
  const now = performance.now();
  while (feed.provenAt < now) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * Milliseconds of the first try that takes no longer than `limit`, else of the shortest of three: a machine that does
 * other things is slow now and then, what is too slow is so each time.
 */
export async function shortest(limit: number, attempt: () => Promise<number>): Promise<number> {
  let best = Infinity;
  for (let tries = 0; tries < 3 && best > limit; tries += 1) best = Math.min(best, await attempt());
  return best;
}
