import { setTimeout as pause } from 'node:timers/promises';
import { type Tenant, TenantProvisioner, TenantPurge } from '../../../lib';
import type { TestDatabase } from '../database';
import type { HammerInstance, HammerWorld } from '../hammer/hammer-world';
import { rawRequest } from '../raw-request';

const CALLERS = 8;

/** Between two requests of a caller, so that the load is steady and leaves the machine room. */
const PAUSE_MS = 10;

/** How many tenants that come and go are there at once. */
const PASSING = 5;

export interface LoadCounts {
  requests: number;
  failedRequests: number;
  tenantsMade: number;
  tenantsPurged: number;
}

/** Requests for tenants that stay, and tenants that are made, used, and purged, until `signal` says so. */
export async function load(
  { instances, tenants }: HammerWorld,
  database: Pick<TestDatabase, 'query'>,
  counts: LoadCounts,
  signal: AbortSignal,
): Promise<void> {
  const request = async ({ url }: HammerInstance, { slug }: Tenant, path: string, body?: unknown) => {
    const { status } = await rawRequest(url, path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'x-tenant-id': slug, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    counts.requests++;
    if (status >= 400) counts.failedRequests++;
  };
  const use = async (number: number, tenant: Tenant) => {
    const instance = instances[number % instances.length];
    await request(instance, tenant, '/accounts');
    await request(instance, tenant, '/entries/all-or-none', { mark: `m${number}` });
  };
  const caller = async (_: unknown, index: number) => {
    for (let i = index; !signal.aborted; i += CALLERS) {
      const tenant = tenants[i % tenants.length];
      await use(i, tenant);
      // Rows come and go, too.
      if (i % 500 === 0) await database.query(`TRUNCATE "${tenant.schemaName}".entry`);
      await pause(PAUSE_MS);
    }
  };
  const passing: Tenant[] = [];
  const comeAndGo = async () => {
    for (let i = 0; !signal.aborted; i++) {
      const { app, lifecycle } = instances[i % instances.length];
      const tenant = await app.get(TenantProvisioner).create({ slug: `passing-${i}` });
      counts.tenantsMade++;
      passing.push(tenant);
      for (let j = 0; j < 4; j++) await use(i + j, tenant);
      if (passing.length <= PASSING) continue;
      const { id } = passing.shift()!;
      await lifecycle.suspend(id);
      await lifecycle.delete(id);
      await app.get(TenantPurge).purge(id);
      counts.tenantsPurged++;
      await pause(PAUSE_MS);
    }
  };
  await Promise.all([...Array.from({ length: CALLERS }, caller), comeAndGo()]);
}
