import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/** A database of one test file's own on the server of this run. */
export interface TestDatabase {
  readonly url: string;
  /** The same for the pool under test: through the pooler of this run, if there is one. */
  readonly poolUrl: string;
  /** The same on another way to the server: that of the URL. */
  urlOn(server: string): string;
  /** Rows of one statement, on a session as good as new, without any tenancy. */
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

type Rows = Record<string, unknown>[];

/**
 * Statements without any tenancy, each on a session as good as new: to open one takes longer than what most of them do,
 * so one is kept for the next statement, unless somebody has ended it.
 */
class Sessions {
  #idle: Client | undefined;

  constructor(private readonly url: string) {}

  async query(sql: string, values?: unknown[]): Promise<Rows> {
    const client = (await this.#reuse()) ?? (await this.#open());
    try {
      const { rows } = await client.query<Rows[number]>(sql, values);
      return rows;
    } finally {
      if (this.#idle === undefined) this.#idle = client;
      else await client.end();
    }
  }

  async end(): Promise<void> {
    const client = this.#idle;
    this.#idle = undefined;
    await client?.end();
  }

  async #reuse(): Promise<Client | undefined> {
    const client = this.#idle;
    this.#idle = undefined;
    try {
      await client?.query('DISCARD ALL');
      return client;
    } catch {
      await client?.end();
      return undefined;
    }
  }

  async #open(): Promise<Client> {
    const client = new Client({ connectionString: this.url });
    // What it means is told by the next statement.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }
}

async function queryServer(sql: string, server: string): Promise<void> {
  const sessions = new Sessions(server);
  await sessions.query(sql).finally(() => sessions.end());
}

/** On another server than that of this run it is reached without a pooler. */
export async function createTestDatabase(other?: string): Promise<TestDatabase> {
  const home = other ?? serverUrl();
  const name = `test_${randomBytes(8).toString('hex')}`;
  // Copied as files: a fifth of the time that it takes through the log.
  await queryServer(`CREATE DATABASE ${name} TEMPLATE template0 STRATEGY file_copy`, home);
  const urlOn = (server: string): string => Object.assign(new URL(server), { pathname: `/${name}` }).href;
  const url = urlOn(home);
  const sessions = new Sessions(url);
  return {
    url,
    poolUrl: urlOn((other === undefined ? process.env.TEST_POOLER_URL : undefined) ?? home),
    urlOn,
    query: <Row>(sql: string, values?: unknown[]) => sessions.query(sql, values) as Promise<Row[]>,
    drop: async () => {
      await sessions.end();
      // A suite may have started the server again, on another port.
      await queryServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`, other ?? serverUrl());
    },
  };
}
