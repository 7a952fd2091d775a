import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import type { DelayProxyOptions } from './delay-proxy';

const { host, port, delayMs } = workerData as DelayProxyOptions;

/** What is on its way. All have the same delay, so the first in is the first due. */
const underWay: { readonly dueAt: number; deliver(): void }[] = [];

/**
 * Timers of Node have a millisecond's grain, a busy loop would take a core from PostgreSQL: while something is under
 * way the thread sleeps for this long between looks at its sockets.
 */
const NAP_MS = 0.05;
const neverNotified = new Int32Array(new SharedArrayBuffer(4));

let isPumping = false;

function send(deliver: () => void): void {
  underWay.push({ dueAt: performance.now() + delayMs, deliver });
  if (!isPumping) {
    isPumping = true;
    setImmediate(pump);
  }
}

function pump(): void {
  while (underWay.length > 0 && underWay[0].dueAt <= performance.now()) underWay.shift()?.deliver();
  isPumping = underWay.length > 0;
  if (!isPumping) return;
  Atomics.wait(neverNotified, 0, 0, Math.max(0, Math.min(NAP_MS, underWay[0].dueAt - performance.now())));
  setImmediate(pump);
}

function join(from: Socket, to: Socket): void {
  from.setNoDelay(true);
  from.on('data', (chunk) => send(() => to.writable && to.write(chunk)));
  from.on('end', () => send(() => to.end()));
  from.on('error', () => to.destroy());
  from.on('close', () => send(() => to.destroy()));
}

const server = createServer((client) => {
  const upstream = connect(port, host);
  join(client, upstream);
  join(upstream, client);
});
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port));
