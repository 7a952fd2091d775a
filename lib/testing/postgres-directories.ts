import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { canEnter, postgresAccount, type OsAccount } from './os-account';
import { clusterIn } from './postgres-cluster';
import { EmbeddedPostgresError } from './testing.errors';

/** The directory with the data of one server, and who may read it. */
export interface DataDirectory {
  readonly directory: string;
  readonly account: OsAccount;
  /** Removes the directory; only for temporary data. */
  readonly discard?: () => Promise<void>;
}

/** The wanted directory, or one in the shared directory if PostgreSQL's account cannot enter the wanted one. */
export async function keptData(
  wanted: string,
  sharedDirectory: () => Promise<string>,
): Promise<DataDirectory> {
  const directory = resolve(wanted);
  const account = await postgresAccount(clusterIn(directory));
  if (await canEnter(nearestExisting(directory), account)) {
    await makeDataDirectory(directory, account);
    return { directory, account };
  }
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 16);
  const reachable = join(await sharedDirectory(), `data-${hash}`);
  const owner = await postgresAccount(clusterIn(reachable));
  await makeDataDirectory(reachable, owner);
  return { directory: reachable, account: owner };
}

export async function temporaryData(sharedDirectory: () => Promise<string>): Promise<DataDirectory> {
  const account = await postgresAccount();
  const parent = (await canEnter(tmpdir(), account)) ? tmpdir() : await sharedDirectory();
  const directory = await mkdtemp(join(parent, 'nestjs-tenancy-'));
  await giveTo(account, directory);
  return { directory, account, discard: () => rm(directory, { recursive: true, force: true }) };
}

/**
 * A directory of ours that every user may enter. If the parent is world-writable, someone else could have created a
 * directory with this name to make us run their programs, so only one that belongs to us is accepted.
 */
export async function makeSharedDirectory(
  path = `/var/tmp/nestjs-tenancy-${process.getuid?.()}`,
): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  const found = await lstat(path);
  const ours = process.getuid?.() ?? found.uid;
  if (!found.isDirectory() || found.uid !== ours || found.mode & 0o022) {
    throw new EmbeddedPostgresError(
      `"${path}" must be a directory that belongs to user ${ours} and that nobody else may write to, because ` +
        'programs are run from it. Remove it, or name another with the option "sharedDirectory".',
    );
  }
  await chmod(path, 0o755);
  return path;
}

/**
 * New folders are made accessible whatever our umask is, because the account must enter them. initdb closes the cluster
 * itself.
 */
async function makeDataDirectory(directory: string, account: OsAccount): Promise<void> {
  const first = await mkdir(directory, { recursive: true });
  if (account.uid === undefined) return;
  for (let made = directory; first && made.length >= first.length; made = dirname(made))
    await chmod(made, 0o755);
  if ((await readdir(directory)).length === 0) await giveTo(account, directory);
}

async function giveTo({ uid, gid }: OsAccount, path: string): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}
