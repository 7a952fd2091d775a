import { randomBytes } from 'node:crypto';
import { ConsoleLogger, type INestApplication } from '@nestjs/common';
import { TenancyError } from 'nestjs-tenancy';
import { startEmbeddedPostgres } from 'nestjs-tenancy/testing';

/** What Nest tells of every module and route, and scrolls away what matters. */
const ROUTINE: ReadonlySet<unknown> = new Set([
  ...['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication'],
]);

export class TerseLogger extends ConsoleLogger {
  override log(message: unknown, ...rest: unknown[]): void {
    if (!ROUTINE.has(rest.at(-1))) super.log(message, ...rest);
  }
}

interface Database {
  readonly where: string;
  stop(): Promise<void>;
}

/** `DATABASE_URL`, or a PostgreSQL of our own whose rows are kept in `.data/postgres`. */
async function openDatabase(): Promise<Database> {
  if (process.env.DATABASE_URL) return { where: 'DATABASE_URL', stop: () => Promise.resolve() };
  console.log('Starting PostgreSQL …');
  const postgres = await startEmbeddedPostgres({ dataDirectory: '.data/postgres' });
  process.env.DATABASE_URL = postgres.url;
  return { where: postgres.dataDirectory, stop: () => postgres.stop() };
}

/** The admin API's key as the last lines show it: one that was given is a secret, and stays in its variable. */
function provideMasterKey(): string {
  if (process.env.TENANCY_MASTER_KEY) return '$TENANCY_MASTER_KEY';
  return (process.env.TENANCY_MASTER_KEY = randomBytes(32).toString('hex'));
}

async function run(create: () => Promise<INestApplication>): Promise<void> {
  const port = Number(process.env.PORT ?? 3000);
  const key = provideMasterKey();
  const database = await openDatabase();
  try {
    console.log('Starting the application, and bringing registry and template up to date …');
    const app = await create();
    // Ctrl-C arrives twice: from the terminal, and from npm, which passes on its own.
    let stopped: Promise<void> | undefined;
    const stop = () => (stopped ??= app.close().finally(() => database.stop()));
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());
    await app.listen(port);
    console.log(lastLines(`http://localhost:${port}`, database.where, key));
  } catch (error) {
    await database.stop();
    throw error;
  }
}

/** Where it is, the key, and something to do. curl has `--json` since 7.82 only. */
function lastLines(url: string, where: string, key: string): string {
  return `
Listening on ${url}, rows are in ${where}
TENANCY_MASTER_KEY ${key.startsWith('$') ? 'is as it was set' : `is not set. For this run it is ${key}`}
Make a tenant:
curl -s ${url}/admin/tenants -H "X-Master-Key: ${key}" -H 'Content-Type: application/json' -d '{ "slug": "acme" }'`;
}

/** Starts a sample: `PORT`, `DATABASE_URL` and `TENANCY_MASTER_KEY` say how, or are made up. */
export function startSample(create: () => Promise<INestApplication>): void {
  run(create).catch((error: unknown) => {
    console.error(saysItAll(error) ? `The start has failed: ${error.message}` : error);
    process.exitCode = 1;
  });
}

/** Whether the message is enough: ours, and what an operating system refuses. Of a mistake in code the stack is needed. */
function saysItAll(error: unknown): error is Error {
  return error instanceof TenancyError || (error instanceof Error && 'syscall' in error);
}
