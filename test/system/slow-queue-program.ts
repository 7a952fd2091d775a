import 'reflect-metadata';
import { startSlowQueueApp } from '../support/slow-queue-app';

/** A worker that tells when it is in the middle of a job, and never ends it; until it is killed. */
const [url, port] = process.argv.slice(2);

async function main(): Promise<void> {
  const { app, middle } = await startSlowQueueApp({ url }, Number(port));
  app.enableShutdownHooks();
  middle.reached = ({ text }) => {
    process.stdout.write(`${text}\n`);
    return new Promise(() => undefined);
  };
  process.stdout.write('ready\n');
}

void main();
