import { randomBytes } from 'node:crypto';
import { queryAt, type BenchServer } from './bench-server';
import type { CleanUp } from './clean-up';

export interface DatabaseContents {
  readonly name: string;
  /** Says what is inside: kept contents of another description are built anew. */
  readonly description: string;
  build(url: string): Promise<void>;
}

/** The URL of a database with these contents: the kept one, or one that is dropped when the run ends. */
export async function openDatabase(
  server: BenchServer,
  contents: DatabaseContents,
  cleanUp: CleanUp,
): Promise<string> {
  if (await isKept(server, contents)) return urlOf(server, keptName(contents));
  const name = `tenancy_bench_${randomBytes(6).toString('hex')}`;
  cleanUp.add(() => queryAt(server.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  return create(server, name, contents);
}

/** Builds the contents where later runs find them. Says whether they were there already. */
export async function keepDatabase(server: BenchServer, contents: DatabaseContents): Promise<boolean> {
  if (await isKept(server, contents)) return true;
  const name = keptName(contents);
  await queryAt(server.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await create(server, name, contents);
  // Last, so that what an interrupted build leaves behind is not taken for the whole.
  await queryAt(server.url, `COMMENT ON DATABASE ${name} IS '${contents.description}'`);
  return false;
}

async function isKept({ url }: BenchServer, contents: DatabaseContents): Promise<boolean> {
  const kept = await queryAt(
    url,
    `SELECT FROM pg_database WHERE datname = $1 AND shobj_description(oid, 'pg_database') = $2`,
    [keptName(contents), contents.description],
  );
  return kept.length > 0;
}

async function create(server: BenchServer, name: string, contents: DatabaseContents): Promise<string> {
  await queryAt(server.url, `CREATE DATABASE ${name} TEMPLATE template0`);
  const url = urlOf(server, name);
  await contents.build(url);
  return url;
}

function keptName({ name }: DatabaseContents): string {
  return `tenancy_bench_${name}`;
}

function urlOf(server: BenchServer, database: string): string {
  const url = new URL(server.url);
  url.pathname = `/${database}`;
  return url.href;
}
