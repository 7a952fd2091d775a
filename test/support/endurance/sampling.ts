import { readdirSync, readFileSync } from 'node:fs';
import { collectGarbage } from '../collect-garbage';
import type { TestDatabase } from '../database';
import type { Sample } from './flatness';

const MB = 1024 * 1024;

/** Linux only: elsewhere handles and the backends' memory are 0, and say nothing. */
export async function takeSample(database: Pick<TestDatabase, 'query'>, startedAt: number): Promise<Sample> {
  const backends = await database.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
  );
  collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  return {
    seconds: Math.round((performance.now() - startedAt) / 1_000),
    heapMb: rounded(heapUsed / MB),
    rssMb: rounded(rss / MB),
    handles: handles(),
    backends: backends.length,
    backendMb: rounded(backends.reduce((sum, { pid }) => sum + privateMb(pid), 0)),
  };
}

function handles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}

function privateMb(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    // It has ended since, or runs on another machine.
    return 0;
  }
}

const rounded = (value: number): number => Math.round(value * 10) / 10;
