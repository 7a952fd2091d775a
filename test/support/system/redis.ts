import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { onFreePort } from './free-port';
import { findRedis } from './programs';

/** A Redis of a test's own, in memory only unless its settings say otherwise. */
export interface TestRedis {
  readonly port: number;
  stop(): Promise<void>;
  /** On the port it had, with what its settings let it keep: nothing by default. */
  start(): Promise<void>;
}

const READY = 'Ready to accept connections';

export async function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<TestRedis> {
  return onFreePort(async (port) => {
    let stop = await run(port, settings);
    return {
      port,
      stop: () => stop(),
      start: async () => {
        stop = await run(port, settings);
      },
    };
  });
}

/** Resolves, when it accepts clients, with what stops it. */
async function run(port: number, changes: Readonly<Record<string, string>>): Promise<() => Promise<void>> {
  // A replica writes a snapshot whatever is set, and another test's Redis would read it.
  const files = { dir: tmpdir(), dbfilename: `redis-${port}.rdb` };
  const settings = { port: `${port}`, bind: '127.0.0.1', save: '', appendonly: 'no', ...files, ...changes };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  // A group of its own: Ctrl-C reaches us only, who stop it when the tests have ended.
  const child = spawn(findRedis(), args, { cwd: '/', detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const log: string[] = [];
  const ended = new Promise<Error>((resolve) => {
    child.once('error', resolve);
    child.once('close', () => resolve(new Error(`Redis did not start:\n${log.join('\n')}`)));
  });
  const ready = new Promise<undefined>((resolve) => {
    createInterface(child.stdout).on('line', (line) => {
      if (log.length < 40) log.push(line);
      if (line.includes(READY)) resolve(undefined);
    });
  });
  const failure = await Promise.race([ready, ended]);
  if (failure) throw failure;

  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  return async () => {
    process.off('exit', kill);
    kill();
    await ended;
  };
}
