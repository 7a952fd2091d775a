import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { AppModule } from '../../sample/01-orders/app.module';
import { createTestDatabase, type TestDatabase } from './database';

export const MASTER_KEY = 'a master key that is only for tests, 0123456789';

export const ADAPTERS = [
  ['Express', (_options?: object) => new ExpressAdapter()],
  ['Fastify', (options?: object) => new FastifyAdapter(options)],
] as const;

/** For what is up to Nest and us, whichever server is below. */
export const ANY_ADAPTER = ADAPTERS.slice(0, 1);

export interface Answer {
  readonly status: number;
  // What an HTTP server says is anybody's guess until a test has looked at it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
  readonly headers: Headers;
}

/** The sample on a database of its own, listening on a free port. */
export interface SampleApp {
  readonly app: INestApplication;
  readonly database: TestDatabase;
  readonly url: string;
  /** One request: `call('POST /orders', { tenant: 'acme', body: { description: 'tea' } })`. */
  call(
    line: string,
    options?: { tenant?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer>;
  /** The same with the master key. */
  admin(line: string, body?: unknown): Promise<Answer>;
  close(): Promise<void>;
}

/** `environment` is given the URL of the database, and may put another in its place. */
export async function startSampleApp(
  adapter: (typeof ADAPTERS)[number][1],
  environment: (databaseUrl: string) => Record<string, string> | Promise<Record<string, string>> = () => ({}),
): Promise<SampleApp> {
  const database = await createTestDatabase();
  Object.assign(
    process.env,
    { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY },
    await environment(database.url),
  );
  const app = await NestFactory.create(AppModule, adapter(), { logger: false, abortOnError: false });
  await app.listen(0, '127.0.0.1');
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  const call: SampleApp['call'] = async (line, { tenant, body, headers = {} } = {}) => {
    const [method, path] = line.split(' ');
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(tenant === undefined ? {} : { 'x-tenant-id': tenant }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : undefined, headers: response.headers };
  };
  return {
    app,
    database,
    url,
    call,
    admin: (line, body) => call(line, { body, headers: { 'x-master-key': MASTER_KEY } }),
    close: async () => {
      await app.close();
      await database.drop();
    },
  };
}
