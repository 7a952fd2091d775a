import { Registry } from 'prom-client';
import { TenantConnection, TenantContext, TenantMover, TenantProvisioner } from '../../../lib';
import { TenancyHealth, TenancyObservabilityModule } from '../../../lib/observability';
import { startProvisioningApp } from '../provisioning/app';
import { startWorld, type World } from './world';

const registry = new Registry();
let world: World;
beforeAll(async () => {
  world = await startWorld(
    { database: { poolSize: 4 }, spares: { count: 1 }, sweeper: { intervalMs: 0 } },
    undefined,
    { imports: [TenancyObservabilityModule.forRoot({ metrics: { registry }, healthTimeoutMs: 2_000 })] },
  );
});
afterAll(() => world.close());

/** Lines of metrics whose names begin so. */
async function linesOf(from: Registry, name: string): Promise<string[]> {
  const lines = (await from.metrics()).split('\n');
  return lines.filter((line) => line.startsWith(name)).sort();
}

it('counts connections and spares of each server', async () => {
  const acme = await world.app.get(TenantProvisioner).create({ slug: 'acme' }, { place: { server: 'eu' } });
  const ask = () => world.app.get(TenantConnection).query('SELECT 1');
  await world.app.get(TenantContext).run(acme, ask);
  expect(await linesOf(registry, 'tenancy_pool_connections{state="size"')).toEqual([
    'tenancy_pool_connections{state="size",server="default"} 4',
    'tenancy_pool_connections{state="size",server="eu"} 4',
  ]);
  expect(await linesOf(registry, 'tenancy_pool_waiting')).toEqual([
    'tenancy_pool_waiting{server="default"} 0',
    'tenancy_pool_waiting{server="eu"} 0',
  ]);
  expect(await linesOf(registry, 'tenancy_recycled_connections_total')).toHaveLength(2);
  expect(await linesOf(registry, 'tenancy_spares{state="wanted"')).toEqual([
    'tenancy_spares{state="wanted",server="default"} 1',
    'tenancy_spares{state="wanted",server="eu"} 1',
  ]);
  // What a tenant does is counted wherever it lives.
  expect(await linesOf(registry, 'tenancy_leases_total{tenant="acme"}')).toHaveLength(1);
});

it('counts moves that have ended here', async () => {
  await world.app.get(TenantMover).move('acme', { server: 'default' });
  expect(await linesOf(registry, 'tenancy_moves_total')).toEqual(['tenancy_moves_total{outcome="done"} 1']);
  expect(await linesOf(registry, 'tenancy_move_seconds_total{outcome="done"}')).toHaveLength(1);
  expect(await linesOf(registry, 'tenancy_move_lag_bytes')).toEqual(['tenancy_move_lag_bytes 0']);
});

it('has no label for the server where there is one', async () => {
  const single = new Registry();
  const app = await startProvisioningApp(
    {},
    { imports: [TenancyObservabilityModule.forRoot({ metrics: { registry: single } })] },
  );
  try {
    expect(await single.metrics()).not.toContain('server=');
    expect(await linesOf(single, 'tenancy_pool_waiting')).toEqual(['tenancy_pool_waiting 0']);
    await expect(app.app.get(TenancyHealth).servers()).resolves.toEqual({
      servers: { status: 'up', servers: 1, away: [] },
    });
  } finally {
    await app.close();
  }
});

it('tells of a server that is away, and stays up for the tenants of all others', async () => {
  const health = world.app.get(TenancyHealth);
  await expect(health.servers()).resolves.toEqual({ servers: { status: 'up', servers: 2, away: [] } });
  await world.way.cut();
  // A connection of which nobody knows yet that it is cut may still be handed out.
  await health.servers();
  try {
    await expect(health.servers()).resolves.toEqual({ servers: { status: 'up', servers: 2, away: ['eu'] } });
    await expect(health.servers({ maxAway: 0 })).resolves.toMatchObject({ servers: { status: 'down' } });
    await expect(health.pool({ maxWaiting: 0 })).resolves.toMatchObject({ pool: { status: 'up', size: 4 } });
    // A scrape does not fail, and tells what is known.
    expect(await linesOf(registry, 'tenancy_spares{state="wanted"')).toEqual([
      'tenancy_spares{state="wanted",server="default"} 1',
    ]);
  } finally {
    await world.way.mend();
  }
  // What was found wanting is left alone for a second.
  while ((await health.servers({ maxAway: 0 })).servers.status === 'down')
    await new Promise((resolve) => setTimeout(resolve, 100));
});
