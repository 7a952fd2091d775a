import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { CleanUp } from './clean-up';

export interface DelayProxyOptions {
  readonly host: string;
  readonly port: number;
  /** One way; both ways have it. */
  readonly delayMs: number;
}

/**
 * The URL of PostgreSQL with a delay in front, half of `rttMs` each way. The proxy has a thread of its own, so it takes
 * no turn of the loop that is measured.
 */
export async function delayed(databaseUrl: string, rttMs: number, cleanUp: CleanUp): Promise<string> {
  if (rttMs === 0) return databaseUrl;
  const url = new URL(databaseUrl);
  const workerData: DelayProxyOptions = {
    host: url.hostname,
    port: Number(url.port || 5432),
    delayMs: rttMs / 2,
  };
  const worker = new Worker(join(__dirname, 'delay-proxy.worker.js'), { workerData });
  cleanUp.add(() => worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return url.href;
}
