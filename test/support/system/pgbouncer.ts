import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { OsAccount } from '../../../lib/testing/os-account';
import { makeSharedDirectory, temporaryData } from '../../../lib/testing/postgres-directories';
import { onFreePort } from './free-port';
import type { TestServer } from './postgres-15';
import { findPgBouncer } from './programs';

/** As in pgbouncer.ini. */
export type PgBouncerSettings = Readonly<Record<string, string | number>>;

const DEFAULTS: PgBouncerSettings = {
  listen_addr: '127.0.0.1',
  unix_socket_dir: '',
  auth_type: 'scram-sha-256',
  pool_mode: 'transaction',
  // Sessions for each database: fewer than the tests have clients.
  default_pool_size: 3,
  max_client_conn: 500,
  ignore_startup_parameters: 'extra_float_digits,options',
};

const READY = 'process up';

/**
 * A PgBouncer before the server of `serverUrl`, for every database that is there or will be. Its own `url` has the
 * same user and password, and all sessions are that user's.
 */
export async function startPgBouncer(
  serverUrl: string,
  changes: PgBouncerSettings = {},
): Promise<TestServer> {
  const program = findPgBouncer();
  const server = new URL(serverUrl);
  const { directory, account, discard } = await temporaryData(() => makeSharedDirectory());
  try {
    const users = join(directory, 'users.txt');
    await writeFile(users, `"${server.username}" "${server.password}"\n`);
    return await onFreePort(async (port) => {
      const config = join(directory, 'pgbouncer.ini');
      const settings = { ...DEFAULTS, listen_port: port, auth_file: users, ...changes };
      const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
      const databases = ['[databases]', `* = host=${server.hostname} port=${server.port}`];
      await writeFile(config, [...databases, '[pgbouncer]', ...lines, ''].join('\n'));
      const stop = await run(program, config, account);
      const url = new URL(serverUrl);
      url.port = `${port}`;
      return { url: url.href, stop: () => stop().then(discard) };
    });
  } catch (error) {
    await discard?.();
    throw error;
  }
}

/** The server of this run, without its pooler, for the role that the pooler logs in as. */
export function pooledServerUrl(): string {
  const { TEST_SERVER_URL, TEST_POOLER_URL } = process.env;
  const { username, password } = new URL(TEST_POOLER_URL as string);
  return Object.assign(new URL(TEST_SERVER_URL as string), { username, password }).href;
}

/** One of a test's own, before the server of this run. It logs in as the same role as the one of this run. */
export function startAnotherPgBouncer(changes: PgBouncerSettings): Promise<TestServer> {
  return startPgBouncer(pooledServerUrl(), changes);
}

/** Resolves, when it accepts clients, with what stops it. Like PostgreSQL it refuses to be root. */
async function run(program: string, config: string, account: OsAccount): Promise<() => Promise<void>> {
  const child = spawn(program, [config], {
    ...account,
    cwd: '/',
    // A group of its own: Ctrl-C reaches us only, who stop it when the tests have ended.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log: string[] = [];
  const ended = new Promise<Error>((resolve) => {
    child.once('error', resolve);
    child.once('close', () => resolve(new Error(`PgBouncer did not start:\n${log.join('\n')}`)));
  });
  const ready = new Promise<undefined>((resolve) => {
    createInterface(child.stderr).on('line', (line) => {
      // Later it tells of every connection, which nobody reads.
      if (log.length < 40) log.push(line);
      if (line.includes(READY)) resolve(undefined);
    });
  });
  const failure = await Promise.race([ready, ended]);
  if (failure) throw failure;

  // SIGTERM ends it at once; on SIGINT it would wait for its clients.
  const terminate = (): boolean => child.kill('SIGTERM');
  process.once('exit', terminate);
  return async () => {
    process.off('exit', terminate);
    terminate();
    await ended;
  };
}
