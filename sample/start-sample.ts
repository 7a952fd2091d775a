import { randomBytes } from 'node:crypto';
import type { INestApplication } from '@nestjs/common';
import { startEmbeddedPostgres } from 'nestjs-tenancy/testing';

/** `DATABASE_URL`, or a PostgreSQL of our own whose rows are kept in `.data/postgres`. */
async function openDatabase(): Promise<{ stop: () => Promise<void> }> {
  if (process.env.DATABASE_URL) return { stop: () => Promise.resolve() };
  const postgres = await startEmbeddedPostgres({ dataDirectory: '.data/postgres' });
  process.env.DATABASE_URL = postgres.url;
  console.log(`PostgreSQL runs at ${postgres.url}, its data are in ${postgres.dataDirectory}`);
  return postgres;
}

function provideMasterKey(): void {
  if (process.env.TENANCY_MASTER_KEY) return;
  process.env.TENANCY_MASTER_KEY = randomBytes(32).toString('hex');
  console.log(`TENANCY_MASTER_KEY is not set. For this run it is ${process.env.TENANCY_MASTER_KEY}`);
}

async function run(create: () => Promise<INestApplication>): Promise<void> {
  const port = Number(process.env.PORT ?? 3000);
  provideMasterKey();
  const database = await openDatabase();
  try {
    const app = await create();
    // Ctrl-C arrives twice: from the terminal, and from npm, which passes on its own.
    let stopped: Promise<void> | undefined;
    const stop = () => (stopped ??= app.close().finally(() => database.stop()));
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());
    await app.listen(port);
    console.log(`Listening on http://localhost:${port}`);
  } catch (error) {
    await database.stop();
    throw error;
  }
}

/** Starts a sample: `PORT`, `DATABASE_URL` and `TENANCY_MASTER_KEY` say how, or are made up. */
export function startSample(create: () => Promise<INestApplication>): void {
  run(create).catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
