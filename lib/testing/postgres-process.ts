import { execFile, spawn } from 'node:child_process';
import { parse } from 'node:path';
import { createInterface } from 'node:readline';
import type { OsAccount } from './os-account';
import { EmbeddedPostgresError } from './testing.errors';

export interface PostgresProcess {
  /** Fast shutdown: ends the sessions, writes everything and ends the process. It may be called again. */
  stop(): Promise<void>;
}

/** A standby is ready to accept read-only ones. */
const READY = /database system is ready to accept (?:read-only )?connections/;

/** The last lines of the log, for the error of a start that fails. */
const MAX_LOG_LINES = 40;

/** When a shutdown takes longer, PostgreSQL is told to stop immediately; the next start recovers from its log. */
const MAX_SHUTDOWN_MS = 30_000;

/** The output of one of PostgreSQL's programs. Throws an error with what it wrote to stderr. */
export function runProgram(file: string, args: readonly string[], account: OsAccount): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, childOptions(file, account), (error, stdout) => {
      // The message of a program that has run already contains its stderr.
      if (error) reject(new EmbeddedPostgresError(error.message.trim(), { cause: error }));
      else resolve(stdout);
    });
  });
}

/** Starts `postgres` and waits until it says that it accepts connections. */
export async function startPostgres(
  file: string,
  args: readonly string[],
  account: OsAccount,
): Promise<PostgresProcess> {
  const child = spawn(file, args, {
    ...childOptions(file, account),
    // In a process group of its own: Ctrl-C then reaches only us, and the application can end its sessions before the
    // server stops.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log: string[] = [];
  const lines = createInterface(child.stderr);
  lines.on('line', (line) => log.splice(0, Math.max(0, log.push(line) - MAX_LOG_LINES)));

  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(`it ended with ${signal ?? `exit code ${code}`}`));
  });
  const ready = new Promise<undefined>((resolve) => {
    lines.on('line', (line) => READY.test(line) && resolve(undefined));
  });
  const failure = await Promise.race([ready, ended]);
  if (failure !== undefined) {
    throw new EmbeddedPostgresError(`PostgreSQL did not start: ${failure}.\n${log.join('\n')}`.trim());
  }

  const interrupt = (): boolean => child.kill('SIGINT');
  process.once('exit', interrupt);
  return {
    stop: async () => {
      process.off('exit', interrupt);
      interrupt();
      const timer = setTimeout(() => child.kill('SIGQUIT'), MAX_SHUTDOWN_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

function childOptions(file: string, account: OsAccount): OsAccount & { cwd: string; env: NodeJS.ProcessEnv } {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name));
  return {
    ...account,
    // The account may not be able to enter our working directory.
    cwd: parse(file).root,
    // PGPORT and similar variables would change the server, and the line that says that it is ready must not be
    // translated.
    env: { ...Object.fromEntries(inherited), LC_ALL: 'C' },
  };
}
