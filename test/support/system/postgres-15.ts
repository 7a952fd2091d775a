import { initialiseCluster, readPassword } from '../../../lib/testing/postgres-cluster';
import { makeSharedDirectory, temporaryData } from '../../../lib/testing/postgres-directories';
import { startPostgres } from '../../../lib/testing/postgres-process';
import { onFreePort } from './free-port';
import { findPostgres15 } from './programs';

/** A server that runs for the tests; `url` is that of its superuser. */
export interface TestServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** The oldest PostgreSQL that the library promises to work on, from the system's packages, with data of its own. */
export async function startPostgres15(): Promise<TestServer> {
  const programs = findPostgres15();
  const data = await temporaryData(() => makeSharedDirectory());
  try {
    const cluster = await initialiseCluster(data, programs);
    const password = await readPassword(cluster);
    return await onFreePort(async (port) => {
      const settings = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=200'];
      const args = ['-D', cluster, '-p', `${port}`, '-h', '127.0.0.1', '-k', ''];
      const flags = settings.flatMap((setting) => ['-c', setting]);
      const server = await startPostgres(programs.postgres, [...args, ...flags], data.account);
      return {
        url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
        stop: () => server.stop().then(data.discard),
      };
    });
  } catch (error) {
    await data.discard?.();
    throw error;
  }
}
