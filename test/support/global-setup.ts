import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../lib/testing/embedded-postgres';
import { withDataInMemory } from './data-in-memory';

declare global {
  /** Handed from Jest's global setup to its global teardown; absent when `DATABASE_URL` names a server. */
  var embeddedTestServer: EmbeddedPostgres | undefined;
}

/** One server for all test files: that of `DATABASE_URL`, else an embedded one whose data goes when it stops. */
export default async function globalSetup(): Promise<void> {
  if (process.env.DATABASE_URL) {
    process.env.TEST_SERVER_URL = process.env.DATABASE_URL;
    return;
  }
  // Large pages: sessions come and go with each application, and each begins by touching new memory.
  process.env.GLIBC_TUNABLES ??= 'glibc.malloc.hugetlb=1';
  // The log of what is written is kept in memory with the data, by default up to a gigabyte of it.
  const server = await withDataInMemory(() =>
    startEmbeddedPostgres({ parameters: { max_connections: 200, max_wal_size: '256MB' } }),
  );
  globalThis.embeddedTestServer = server;
  process.env.TEST_SERVER_URL = server.url;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void server.stop().finally(() => process.kill(process.pid, signal)));
  }
}
