import type { PoolConfig } from 'pg';
import { TenantPool } from '../lib/connection/pool/tenant-pool';
import type { TenantPoolOptions } from '../lib/connection/pool/tenant-pool.options';
import type { TenantClient } from '../lib/connection/protocol/tenant-client';

interface IdleItem {
  readonly client: TenantClient;
}

/** The tenants' pool, but it prefers an idle connection that has served the tenant to the one that was used last. */
export class AffinePool extends TenantPool {
  constructor(config: PoolConfig, options: TenantPoolOptions) {
    super(config, options);
    for (const server of this.servers.values()) {
      const open = server.open.bind(server);
      server.open = (request) => {
        const [pool] = server.sessions.pools;
        const { _idle: idle } = pool as unknown as { readonly _idle: IdleItem[] };
        const known = idle.findLastIndex(({ client }) => client.served.has(request.key));
        // pg-pool takes the last.
        if (known >= 0) idle.push(...idle.splice(known, 1));
        open(request);
      };
    }
  }
}
