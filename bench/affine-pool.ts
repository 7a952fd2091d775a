import type { TenantClient } from '../lib/connection/protocol/tenant-client';
import { type CheckoutRequest, TenantPool } from '../lib/connection/pool/tenant-pool';

interface IdleItem {
  readonly client: TenantClient;
}

/** The tenants' pool, but it prefers an idle connection that has served the tenant to the one that was used last. */
export class AffinePool extends TenantPool {
  override open(request: CheckoutRequest): void {
    const { _idle: idle } = this as unknown as { readonly _idle: IdleItem[] };
    const known = idle.findLastIndex(({ client }) => client.served.has(request.key));
    // pg-pool takes the last.
    if (known >= 0) idle.push(...idle.splice(known, 1));
    super.open(request);
  }
}
