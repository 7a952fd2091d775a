import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Adapter, HttpServerMessage, HttpVariant } from './http-contract';

/** A server in a process of its own, so that its CPU time is its own. */
export interface HttpServerProcess {
  readonly name: string;
  readonly adapter: Adapter;
  readonly url: string;
  /** User and system time since the process began. */
  cpuMicros(): Promise<number>;
  stop(): Promise<void>;
}

export async function startHttpServer(
  adapter: Adapter,
  variant: HttpVariant,
  databaseUrl: string,
): Promise<HttpServerProcess> {
  const child = fork(join(__dirname, 'http-server.js'), [adapter, variant], {
    env: { ...process.env, DATABASE_URL: databaseUrl, NODE_ENV: 'production' },
    // Standard output belongs to the result.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  const { port } = (await nextMessage(child)) as { port: number };
  return {
    name: `${adapter} ${variant}`,
    adapter,
    url: `http://127.0.0.1:${port}`,
    cpuMicros: async () => {
      child.send('cpu');
      return ((await nextMessage(child)) as { cpuMicros: number }).cpuMicros;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}

async function nextMessage(child: ChildProcess): Promise<HttpServerMessage> {
  const exited = new AbortController();
  const onExit = () => exited.abort();
  child.once('exit', onExit);
  try {
    const [message] = (await once(child, 'message', { signal: exited.signal })) as [HttpServerMessage];
    return message;
  } catch (error) {
    throw new Error(`${child.spawnargs.slice(2).join(' ')} ended before it answered.`, { cause: error });
  } finally {
    child.off('exit', onExit);
  }
}
