import { readFile } from 'node:fs/promises';
import { queryAt } from './bench-server';

/**
 * How much CPU time the sessions of a database have taken, in microseconds; `undefined` where that cannot be told, because
 * PostgreSQL runs on another machine, or this one is no Linux. What sessions took that have ended is not in it.
 */
export async function sessionCpuMicros(url: string): Promise<number | undefined> {
  const sessions = await queryAt<{ pid: number }>(
    url,
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
  );
  try {
    const times = await Promise.all(
      sessions.map(async ({ pid }) => {
        if (!(await readFile(`/proc/${pid}/cmdline`, 'utf8')).startsWith('postgres:'))
          throw new Error('That is another process.');
        // The first number: nanoseconds on a CPU.
        return Number((await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ')[0]) / 1_000;
      }),
    );
    return times.reduce((sum, each) => sum + each, 0);
  } catch {
    return undefined;
  }
}
