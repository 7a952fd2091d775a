import { Client } from 'pg';
import type { SeededRandom } from './seeded-random';

/** Disturbs the backends of a database. */
export interface BackendFaults {
  /** Cancels the query of a backend, or terminates it. Returns how many were hit: 0 or 1. */
  hurt(random: SeededRandom): Promise<number>;
  close(): Promise<void>;
}

/** Uses a connection of its own, which is not hit. Its role must be that of the backends, or a superuser. */
export async function openBackendFaults(databaseUrl: string): Promise<BackendFaults> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  return {
    async hurt(random) {
      const how = random.next() < 0.5 ? 'pg_cancel_backend' : 'pg_terminate_backend';
      // Prefers a backend that is active, because it is in the middle of a statement.
      const { rowCount } = await client.query(
        `SELECT ${how}(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
         ORDER BY state = 'active' DESC, random() LIMIT 1`,
      );
      return rowCount ?? 0;
    },
    close: () => client.end(),
  };
}
