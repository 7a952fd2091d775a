import { join } from 'node:path';
import { makeSharedDirectory, temporaryData } from '../../../lib/testing/postgres-directories';
import { runProgram, startPostgres } from '../../../lib/testing/postgres-process';
import { onFreePort } from './free-port';
import type { TestServer } from './postgres-15';
import { findPgBaseBackup, findPostgres15 } from './programs';

/** A hot standby of a PostgreSQL 15 of the tests: it replays what that writes, and answers reads. `url` is its superuser's. */
export async function startStandby(primary: TestServer): Promise<TestServer> {
  const data = await temporaryData(() => makeSharedDirectory());
  try {
    const cluster = join(data.directory, 'cluster');
    const from = ['-D', cluster, '-d', primary.url, '--checkpoint=fast', '--wal-method=stream', '--no-sync'];
    await runProgram(findPgBaseBackup(), [...from, '--write-recovery-conf'], data.account);
    return await onFreePort(async (port) => {
      const args = ['-D', cluster, '-p', `${port}`, '-h', '127.0.0.1', '-k', ''];
      // As its primary's: a standby with fewer does not start.
      const flags = ['fsync=off', 'max_connections=200'].flatMap((setting) => ['-c', setting]);
      const server = await startPostgres(findPostgres15().postgres, [...args, ...flags], data.account);
      return {
        url: Object.assign(new URL(primary.url), { port: `${port}` }).href,
        stop: () => server.stop().then(data.discard),
      };
    });
  } catch (error) {
    await data.discard?.();
    throw error;
  }
}
