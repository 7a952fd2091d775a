import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../lib/testing/embedded-postgres';
import { withDataInMemory } from './data-in-memory';

/** What a server needs whose tenants move while they are served, many at once. */
export const LOGICAL = {
  wal_level: 'logical',
  max_replication_slots: 40,
  max_wal_senders: 40,
  max_logical_replication_workers: 30,
  max_worker_processes: 40,
};

/** A PostgreSQL of the caller's own whose log can be followed. */
export function startLogicalServer(): Promise<EmbeddedPostgres> {
  return withDataInMemory(() =>
    startEmbeddedPostgres({ parameters: { max_connections: 200, max_wal_size: '256MB', ...LOGICAL } }),
  );
}
