import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/** A database of one test file's own on the server of this run. */
export interface TestDatabase {
  readonly url: string;
  /** The same for the pool under test: through the pooler of this run, if there is one. */
  readonly poolUrl: string;
  /** The same on another way to the server: that of the URL. */
  urlOn(server: string): string;
  /** Rows of one statement, on a connection opened for it and closed after it, without any tenancy. */
  query<Row = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}

/** A promise that cannot be kept behind a transaction pooler has another test there; `npm run test:system` runs both. */
export const behindPooler = process.env.TEST_POOLER_URL !== undefined;

/** Set by the global setup: the server of `DATABASE_URL`, or the embedded one. */
function serverUrl(): string {
  const url = process.env.TEST_SERVER_URL;
  if (!url) throw new Error('TEST_SERVER_URL is not set: test/support/global-setup.ts did not run.');
  return url;
}

async function queryAt<Row>(url: string, sql: string, values?: unknown[]): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows as Row[];
  } finally {
    await client.end();
  }
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await queryAt(serverUrl(), `CREATE DATABASE ${name} TEMPLATE template0`);
  const urlOn = (server: string): string => Object.assign(new URL(server), { pathname: `/${name}` }).href;
  const url = urlOn(serverUrl());
  return {
    url,
    poolUrl: urlOn(process.env.TEST_POOLER_URL ?? serverUrl()),
    urlOn,
    query: (sql, values) => queryAt(url, sql, values),
    drop: async () => {
      await queryAt(serverUrl(), `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}
