import { readFileSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from 'pg';
import type { OsAccount } from './os-account';
import type { PostgresBinaries } from './postgres-binaries';
import { runProgram } from './postgres-process';
import { EmbeddedPostgresError } from './testing.errors';

/** While a server starts, recovers or stops, it answers "cannot connect now". */
const CANNOT_CONNECT_NOW = '57P03';
const MAX_TRIES = 100;
const RETRY_MS = 100;

/** A killed process exists until the system has removed it, which may take longer than a new start. */
const MAX_WAIT_FOR_END_MS = 1_000;

const OWNER_PREFIX = 'nestjs-tenancy-';

/**
 * The `cluster_name` of our servers, which PostgreSQL keeps while they run. It contains the id of the process that
 * started them.
 */
export function ownerName(): string {
  return `${OWNER_PREFIX}${process.pid}`;
}

/**
 * Stops the server that a killed process left running on this cluster. The cluster's `postmaster.pid` is not enough to
 * recognize it, because process ids are used again: the server must also accept our password and name this directory.
 *
 * @throws EmbeddedPostgresError when the process that started it is still running
 */
export async function stopOrphan(
  cluster: string,
  password: string,
  binaries: PostgresBinaries,
  account: OsAccount,
): Promise<void> {
  const lock = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => undefined);
  if (lock === undefined) return;
  const [pid, , , port] = lock.split('\n');
  const running = await askServer(Number(port), password);
  if (!running || (await realpath(running.directory)) !== (await realpath(cluster))) return;

  const owner = Number(running.name.slice(OWNER_PREFIX.length));
  if (!running.name.startsWith(OWNER_PREFIX) || (await staysAlive(owner))) {
    throw new EmbeddedPostgresError(
      `The data in "${cluster}" is in use by a PostgreSQL server (process ${pid}) that process ` +
        `${owner || 'unknown'} has started. Stop that one first, or use another data directory.`,
    );
  }
  await runProgram(binaries.pgCtl, ['stop', '-D', cluster, '-m', 'fast', '-w'], account);
}

/** `undefined` when nothing answers at that port, or a server that does not accept our password. */
async function askServer(
  port: number,
  password: string,
): Promise<{ directory: string; name: string } | undefined> {
  for (let attempt = 1; ; attempt++) {
    const client = new Client({
      host: '127.0.0.1',
      port,
      user: 'postgres',
      password,
      database: 'postgres',
      ssl: false,
    });
    // Kept after the answer, too, because the server may end at any time.
    client.on('error', () => undefined);
    try {
      await client.connect();
      const sql = `SELECT current_setting('data_directory') AS directory, current_setting('cluster_name') AS name`;
      return (await client.query<{ directory: string; name: string }>(sql)).rows[0];
    } catch (error) {
      if ((error as { code?: string }).code !== CANNOT_CONNECT_NOW || attempt === MAX_TRIES) return undefined;
      await wait(RETRY_MS);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

async function staysAlive(pid: number): Promise<boolean> {
  for (let waited = 0; isAlive(pid); waited += RETRY_MS) {
    if (waited >= MAX_WAIT_FOR_END_MS) return true;
    await wait(RETRY_MS);
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Whether the process has ended, but its parent has not yet collected it. Only Linux tells this without another
 * program.
 */
function isZombie(pid: number): boolean {
  try {
    return /^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
