import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './testing.errors';

/** The operating-system user of a child process, to be spread into the options of `spawn`. Empty: our own user. */
export interface OsAccount {
  readonly uid?: number;
  readonly gid?: number;
}

const run = promisify(execFile);

/**
 * Who PostgreSQL runs as. It refuses to run as root, so root hands over to the owner of the data if there is any
 * yet (PostgreSQL opens no data of another user), else to `postgres`, else to `nobody`.
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

/** Asks the kernel, as that user, because modes alone do not tell: access lists and mounts have a say, too. */
export async function canEnter(directory: string, account: OsAccount): Promise<boolean> {
  if (account.uid === undefined) return true;
  try {
    await run('/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory], { ...account, cwd: '/' });
    return true;
  } catch {
    return false;
  }
}
