import type { PoolConfig } from 'pg';
import {
  initializeTenantDataSource,
  tenantDriver,
  withEmptySearchPathInUrl,
} from '../lib/connection/typeorm/tenant-data-source';
import type { TenantClient } from '../lib/connection/protocol/tenant-client';
import { TenantPool } from '../lib/connection/pool/tenant-pool';
import { TenantContext } from '../lib/context/tenant-context';
import { InMemoryTenantStore } from '../lib/registry/store/in-memory-tenant.store';
import type { Tenant } from '../lib/registry/tenant';
import { AffinePool } from './affine-pool';
import { WrongAnswerError } from './bench';
import { VISIT } from './memory-fleet';

export interface MemoryVariant {
  readonly name: string;
  /** Whether every connection has met every tenant before the load begins, or none has. */
  readonly isToured: boolean;
  readonly pool: TenantPool;
  visit(tenant: Tenant): Promise<void>;
  /** What its backends have allocated now, in megabytes. */
  memory(): Promise<number[]>;
  /** How often a backend has met a tenant for the first time. */
  meetings(): number;
  close(): Promise<void>;
}

interface MemorySetting {
  readonly name: string;
  readonly isToured: boolean;
  readonly maxTenantsPerConnection: number;
  readonly Pool?: typeof TenantPool;
}

/** Counted, but never reached. */
const NEVER = Number.MAX_SAFE_INTEGER;

export const MEMORY_SETTINGS: readonly MemorySetting[] = [
  { name: 'never', isToured: true, maxTenantsPerConnection: NEVER },
  ...[500, 200, 100].map((count) => ({
    name: `after-${count}`,
    isToured: true,
    maxTenantsPerConnection: count,
  })),
  { name: 'lifo', isToured: false, maxTenantsPerConnection: NEVER },
  { name: 'affine', isToured: false, maxTenantsPerConnection: NEVER, Pool: AffinePool },
];

export async function openVariant(
  { name, isToured, maxTenantsPerConnection, Pool = TenantPool }: MemorySetting,
  url: string,
  poolSize: number,
): Promise<MemoryVariant> {
  const context = new TenantContext(new InMemoryTenantStore());
  const lending = { context, maxTenantsPerConnection };
  class BoundPool extends Pool {
    constructor(config: PoolConfig) {
      super(config, lending);
    }
  }
  const dataSource = await initializeTenantDataSource(
    {
      type: 'postgres',
      url: withEmptySearchPathInUrl(url),
      poolSize,
      installExtensions: false,
      driver: { ...tenantDriver(lending), Pool: BoundPool },
      extra: { keepAlive: true, idleTimeoutMillis: 0 },
    },
    context,
  );
  const { master } = dataSource.driver as unknown as { master: TenantPool };
  const allocated = () =>
    dataSource.query<{ mb: number }[]>(
      'SELECT sum(total_bytes)::float8 / 1024 / 1024 AS mb, pg_sleep(0.05) FROM pg_backend_memory_contexts',
    );
  return {
    name,
    isToured,
    pool: master,
    visit: (tenant) =>
      context.run(tenant, async () => {
        const rows = await dataSource.query<{ owner: string }[]>(VISIT);
        if (rows.length !== 1 || rows[0].owner !== tenant.slug)
          throw new WrongAnswerError(name, tenant.slug, rows);
      }),
    memory: () =>
      context.runAsSystem(async () => {
        // As many at once as there are connections: each is asked.
        const answers = await Promise.all(Array.from({ length: poolSize }, allocated));
        return answers.map(([{ mb }]) => mb);
      }),
    meetings: () => {
      const [server] = master.servers.values();
      const [pool] = server.sessions.pools;
      const { _clients } = pool as unknown as { readonly _clients: readonly TenantClient[] };
      return _clients.reduce((sum, { served }) => sum + served.size, 0);
    },
    close: () => dataSource.destroy(),
  };
}
