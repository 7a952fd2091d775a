import { CleanUp } from '../../bench/clean-up';
import { startEmbeddedPostgres } from '../../lib/testing/embedded-postgres';
import { createTestDatabase, type TestDatabase } from './database';
import { LOGICAL } from './logical-server';
import { startPgBouncer } from './system/pgbouncer';
import { createPooledRole } from './system/pooled-role';
import { findPgBouncer } from './system/programs';

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Where a command that takes minutes works. */
export interface LongRun {
  readonly database: TestDatabase;
  /** Another one, which stands for another server. */
  readonly further: TestDatabase;
  readonly cleanUp: CleanUp;
  /** The database through PgBouncer in transaction mode, and around it, for one role. */
  startPooler(): Promise<{ readonly pooled: string; readonly direct: string }>;
  /** Tells people how far it is; never on standard output, which belongs to the result. */
  progress(line: string): void;
}

/**
 * Runs `work` on a database of its own, on the server of `DATABASE_URL` or an embedded one, and removes it all in
 * whatever way the run ends. The process fails when `work` throws.
 */
export async function longRun(work: (run: LongRun) => Promise<void>): Promise<void> {
  const cleanUp = new CleanUp();
  let interrupted = false;
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      interrupted = true;
      void cleanUp.run().then(() => process.exit(exitCode));
    });
  }
  try {
    const serverUrl = (process.env.TEST_SERVER_URL =
      process.env.DATABASE_URL || (await startServer(cleanUp)));
    const database = await createTestDatabase();
    cleanUp.add(() => database.drop());
    const further = await createTestDatabase();
    cleanUp.add(() => further.drop());
    await work({
      database,
      further,
      cleanUp,
      startPooler: async () => {
        const direct = await createPooledRole(serverUrl);
        // What is left in a session stays there; whoever gets it next destroys its own connection, not the session.
        const pooler = await startPgBouncer(direct, { default_pool_size: 10, server_lifetime: 2 });
        cleanUp.add(() => pooler.stop());
        return { pooled: database.urlOn(pooler.url), direct: database.urlOn(direct) };
      },
      progress: (line) => console.error(line),
    });
  } catch (error) {
    // What is under way fails when everything is stopped under it.
    if (interrupted) return;
    console.error(error);
    process.exitCode = 1;
  } finally {
    await cleanUp.run();
  }
}

export function hasPgBouncer(): boolean {
  try {
    return findPgBouncer() !== '';
  } catch {
    return false;
  }
}

async function startServer(cleanUp: CleanUp): Promise<string> {
  const { url, stop } = await startEmbeddedPostgres({ parameters: { max_connections: 200, ...LOGICAL } });
  cleanUp.add(stop);
  return url;
}
