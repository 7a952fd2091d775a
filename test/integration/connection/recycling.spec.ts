import type { Tenant } from '../../../lib/registry/tenant';
import { makeTenant } from '../../support/tenants';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

describe('A connection that may serve three tenants', () => {
  let world: TwoTenants;
  const tenants = Array.from({ length: 12 }, (_, i) => makeTenant(`tenant${i}`));
  const backendOf = async (tenant: Tenant): Promise<number> => {
    const [{ pid }] = await world.query<{ pid: number }[]>(tenant, 'SELECT pg_backend_pid() AS pid');
    return pid;
  };

  beforeEach(async () => {
    world = await twoTenants(1, {}, { maxTenantsPerConnection: 3 });
    await world.database.query(tenants.map(({ schemaName }) => `CREATE SCHEMA ${schemaName};`).join(' '));
  });
  afterEach(() => world.close());

  it('is replaced after the third, and counted', async () => {
    const backends: number[] = [];
    for (const tenant of tenants.slice(0, 7)) backends.push(await backendOf(tenant));
    const [a, , , b, , , c] = backends;
    expect(backends).toEqual([a, a, a, b, b, b, c]);
    expect(new Set(backends).size).toBe(3);
    expect(world.pool.counters.recycled).toBe(2);
    expect(world.pool.destroyedByCause).toEqual({});
  });

  it('serves the same two for ever, and the system', async () => {
    const backends = new Set<number>();
    for (let i = 0; i < 10; i++) {
      backends.add(await backendOf(tenants[i % 2]));
      await world.context.runAsSystem(() => world.dataSource.query('SELECT 1'));
    }
    expect(backends.size).toBe(1);
    expect(world.pool.counters.recycled).toBe(0);
  });

  it('counts tenants of code that runs in a schema by name', async () => {
    for (const { schemaName } of tenants.slice(0, 3))
      await world.context.runInSchema(schemaName, () => world.dataSource.query('SELECT 1'));
    expect(world.pool.counters.recycled).toBe(1);
  });

  it('fails no query when many are sent at once, even where there is no room for one connection more', async () => {
    const role = `limited_${process.pid}`;
    await world.database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'p' CONNECTION LIMIT 1`);
    for (const { schemaName } of tenants.slice(0, 12))
      await world.database.query(`GRANT USAGE ON SCHEMA ${schemaName} TO ${role}`);
    // Not through the tap, which says goodbye for a server that has not gone yet.
    const url = Object.assign(new URL(world.database.url), { username: role, password: 'p' }).href;
    const limited = await twoTenants(1, { url: withEmptyPath(url) }, { maxTenantsPerConnection: 3 });
    try {
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, i) => limited.query(tenants[i % 12], 'SELECT 1 AS one')),
      );
      expect(answers).toEqual(Array.from({ length: 60 }, () => [{ one: 1 }]));
      expect(limited.pool.counters.recycled).toBeGreaterThan(5);
    } finally {
      await limited.close();
      await world.database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});

function withEmptyPath(url: string): string {
  return `${url}?options=-c%20search_path%3D`;
}
