import { startEmbeddedPostgres } from '../../../lib/testing/embedded-postgres';
import { withDataInMemory } from '../data-in-memory';
import { VARIABLES, type VariablesByEnvironment } from './environments';
import { startPgBouncer } from './pgbouncer';
import { createPooledRole } from './pooled-role';
import { startPostgres15, type TestServer } from './postgres-15';
import { findPgBouncer, findPostgres15, findRedis } from './programs';

declare global {
  /** Handed from Jest's global setup to its global teardown. */
  var stopSystemTestServers: (() => Promise<void>) | undefined;
}

/** PostgreSQL 15 of the system's packages, the embedded 18, and a PgBouncer in transaction mode before each. */
export default async function globalSetup(): Promise<void> {
  findPostgres15();
  findPgBouncer();
  findRedis();
  const running: TestServer[] = [];
  const started = async <Server extends TestServer>(starting: Promise<Server>): Promise<Server> => {
    const server = await starting;
    running.unshift(server);
    return server;
  };
  const stop = async (): Promise<void> => {
    // The poolers first: they would try to reach a server that is gone.
    for (const server of running.splice(0)) await server.stop();
  };
  try {
    const [old, current] = await withDataInMemory(() =>
      Promise.all([
        started(startPostgres15()),
        started(startEmbeddedPostgres({ parameters: { max_connections: 200 } })),
      ]),
    );
    const [beforeOld, beforeCurrent] = await Promise.all(
      [old, current].map(async ({ url }) => started(startPgBouncer(await createPooledRole(url)))),
    );
    process.env[VARIABLES] = JSON.stringify({
      'PostgreSQL 15': { TEST_SERVER_URL: old.url },
      'PostgreSQL 18': { TEST_SERVER_URL: current.url },
      'PostgreSQL 15 behind PgBouncer': { TEST_SERVER_URL: old.url, TEST_POOLER_URL: beforeOld.url },
      'PostgreSQL 18 behind PgBouncer': { TEST_SERVER_URL: current.url, TEST_POOLER_URL: beforeCurrent.url },
    } satisfies VariablesByEnvironment);
  } catch (error) {
    await stop();
    throw error;
  }
  globalThis.stopSystemTestServers = stop;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void stop().finally(() => process.kill(process.pid, signal)));
  }
}
