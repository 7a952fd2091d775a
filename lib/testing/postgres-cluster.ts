import { randomBytes } from 'node:crypto';
import { access, chown, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OsAccount } from './os-account';
import { isTaken, type PostgresBinaries } from './postgres-binaries';
import { runProgram } from './postgres-process';

/** PostgreSQL's data directory ("PGDATA") within ours. */
export function clusterIn(dataDirectory: string): string {
  return join(dataDirectory, 'cluster');
}

/**
 * Runs initdb unless it ran before, and returns the path of the cluster. The cluster appears complete or not at all,
 * because PostgreSQL cannot tell what a killed initdb leaves behind from a complete one.
 */
export async function initialiseCluster(
  data: { directory: string; account: OsAccount; discard?: unknown },
  { initdb }: PostgresBinaries,
): Promise<string> {
  const cluster = clusterIn(data.directory);
  if (await exists(join(cluster, 'PG_VERSION'))) return cluster;

  const draft = join(data.directory, `.new-${randomBytes(6).toString('hex')}`);
  const passwordFile = `${draft}.password`;
  try {
    await writePassword(passwordFile, data.account);
    await runProgram(
      initdb,
      [
        ...['-D', draft, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`],
        ...['--locale=C', '--encoding=UTF8', '--no-instructions', ...(data.discard ? ['--no-sync'] : [])],
      ],
      data.account,
    );
    await rename(passwordFile, passwordFileIn(draft));
    await rename(draft, cluster);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    await rm(passwordFile, { force: true });
    // Another process has made it in the meantime.
    if (!isTaken(error)) throw error;
  }
  return cluster;
}

/**
 * Every user of this machine can connect to 127.0.0.1, so a password keeps others out. It is stored in the cluster,
 * which only its owner may read.
 */
export async function readPassword(cluster: string): Promise<string> {
  return (await readFile(passwordFileIn(cluster), 'utf8')).trim();
}

async function writePassword(file: string, { uid, gid }: OsAccount): Promise<void> {
  await writeFile(file, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  if (uid !== undefined && gid !== undefined) await chown(file, uid, gid);
}

function passwordFileIn(cluster: string): string {
  return join(cluster, 'superuser.password');
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
