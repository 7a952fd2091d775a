import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './testing.errors';

/** The operating-system user of a child process, for the options of `spawn`. Empty: the current user. */
export interface OsAccount {
  readonly uid?: number;
  readonly gid?: number;
}

const run = promisify(execFile);

/**
 * The user as whom PostgreSQL runs. It refuses to run as root, so root uses the owner of the data if there is any
 * (PostgreSQL opens no data of another user), else `postgres`, else `nobody`.
 */
export async function postgresAccount(cluster?: string): Promise<OsAccount> {
  if (process.getuid?.() !== 0) return {};
  const owner = cluster && (await stat(cluster).catch(() => undefined));
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const account = (await lookUp('postgres')) ?? (await lookUp('nobody'));
  if (account) return account;
  throw new EmbeddedPostgresError(
    'PostgreSQL refuses to run as root, and this system has neither a user "postgres" nor "nobody" to run it as. ' +
      'Create one (useradd --system postgres) or run this process as an ordinary user.',
  );
}

async function lookUp(name: string): Promise<OsAccount | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}

/** Tries it as that user, because file modes alone do not tell: access lists and mounts count, too. */
export async function canEnter(directory: string, account: OsAccount): Promise<boolean> {
  if (account.uid === undefined) return true;
  try {
    await run('/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory], { ...account, cwd: '/' });
    return true;
  } catch {
    return false;
  }
}
