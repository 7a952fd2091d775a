import { Client } from 'pg';
import type { SeededRandom } from './seeded-random';

/** Who hurts the backends of a database. */
export interface BackendFaults {
  /** Cancels what a backend does, or ends it. How many were hit: 0 or 1. */
  hurt(random: SeededRandom): Promise<number>;
  close(): Promise<void>;
}

/** On a connection of its own, which is spared. Its role must be that of the backends, or a superuser. */
export async function openBackendFaults(databaseUrl: string): Promise<BackendFaults> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  return {
    async hurt(random) {
      const how = random.next() < 0.5 ? 'pg_cancel_backend' : 'pg_terminate_backend';
      // Rather one that is at work: it is in the middle of something.
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
