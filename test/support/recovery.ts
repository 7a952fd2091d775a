import type { INestApplicationContext } from '@nestjs/common';
import { type Tenant, TenantConnection, TenantContext, TenantStore } from '../../lib';
import type { WireTap } from './wire-tap';

/** More than any pool of a test has, so that each of its connections is tried. */
const AT_ONCE = 4;

/**
 * Mends the line, and waits until no pool has a connection left that does not know of the cut. Whoever is lent such a
 * one gets an error, which is right, and is no test's concern.
 */
export async function recover(
  wire: WireTap,
  app: Pick<INestApplicationContext, 'get'>,
  tenant: Tenant,
): Promise<void> {
  wire.restore();
  const connection = app.get(TenantConnection);
  const tries = [
    () => app.get(TenantContext).run(tenant, () => connection.query('SELECT pg_sleep(0.01)')),
    () => app.get(TenantStore).find({ by: 'id', value: tenant.id }),
  ].flatMap((attempt) => Array.from({ length: AT_ONCE }, () => attempt));
  for (;;) {
    const results = await Promise.allSettled(tries.map((attempt) => attempt()));
    if (results.every(({ status }) => status === 'fulfilled')) return;
  }
}
