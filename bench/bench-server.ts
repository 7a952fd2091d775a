import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../lib/testing/embedded-postgres';
import type { CleanUp } from './clean-up';

export interface BenchServer {
  readonly url: string;
  /** As `SHOW server_version` says. */
  readonly version: string;
}

/** Where an embedded server keeps prepared tenants from one run to the next. */
const KEPT_DATA = resolve('.data/bench');

/** Room for every variant's connections at once. */
const MAX_CONNECTIONS = 200;

/** The server of `DATABASE_URL`, or an embedded one that ends with this run. */
export async function openServer(keepData: boolean, cleanUp: CleanUp): Promise<BenchServer> {
  const url = process.env.DATABASE_URL || (await startServer(keepData, cleanUp));
  const [{ version }] = await queryAt<{ version: string }>(
    url,
    `SELECT current_setting('server_version') AS version`,
  );
  return { url, version };
}

async function startServer(keepData: boolean, cleanUp: CleanUp): Promise<string> {
  const { url, stop } = await startEmbeddedPostgres({
    dataDirectory: keepData || existsSync(KEPT_DATA) ? KEPT_DATA : undefined,
    parameters: { max_connections: MAX_CONNECTIONS },
  });
  cleanUp.add(stop);
  return url;
}

/** Rows of one text, on a connection of its own. */
export async function queryAt<Row>(url: string, sql: string, values?: unknown[]): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows as Row[];
  } finally {
    await client.end();
  }
}
