import { readFileSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from 'pg';
import type { OsAccount } from './os-account';
import type { PostgresBinaries } from './postgres-binaries';
import { runProgram } from './postgres-process';
import { EmbeddedPostgresError } from './testing.errors';

/** While it starts, recovers or stops, a server answers everybody with "cannot connect now". */
const CANNOT_CONNECT_NOW = '57P03';
const MAX_TRIES = 100;
const RETRY_MS = 100;

/** A process that was killed is there until the system has cleared it away, which takes longer than a new start. */
const MAX_WAIT_FOR_END_MS = 1_000;

const OWNER_PREFIX = 'nestjs-tenancy-';

/** `cluster_name` of our servers: it names the process that started them, and is set as long as they run. */
export function ownerSetting(): string {
  return `${OWNER_PREFIX}${process.pid}`;
}

/**
 * Stops the server that a killed process left running on this cluster. The cluster's `postmaster.pid` alone proves
 * nothing, since process ids are used again: the server has to take our password and to name this directory.
 *
 * @throws EmbeddedPostgresError when the process that started it is still alive.
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

/** `undefined` when nobody answers at that port, or somebody to whom our password means nothing. */
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
    // Also after the answer: the server may go away at any time.
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

/** It has ended, and whoever started it has not asked how. Only Linux tells without a further program. */
function isZombie(pid: number): boolean {
  try {
    return /^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
