import type { PoolClient } from 'pg';
import { PoolStatistics } from '../../../lib';
import type { LeasedClient } from '../../../lib/connection/pool/lease';
import { LEASE } from '../../../lib/connection/pool/lease-handle';
import type { TenantPoolOptions } from '../../../lib/connection/pool/tenant-pool.options';
import { withEmptySearchPathInUrl } from '../../../lib/connection/typeorm/tenant-data-source';
import { DEFAULT_PLACE } from '../../../lib/placement/place';
import type { Tenant } from '../../../lib/registry/tenant';
import { placesOf } from '../../support/places';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { settled } from '../../support/manual-clock';
import { makeTenant } from '../../support/tenants';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';
import { tapWire, type WireTap } from '../../support/wire-tap';

/** Another database stands for another server: the pool knows nothing of it but the way there. */
describe('A pool with two servers, on one of which a tenant lives', () => {
  let world: TwoTenants;
  let eu: TestDatabase;
  let wire: WireTap;
  /** Lives where `globex` does, and `initech` where `acme` does. */
  const umbrella = makeTenant('umbrella');
  const initech = makeTenant('initech');

  const open = async (size: number, lending: Partial<TenantPoolOptions> = {}) => {
    eu = await createTestDatabase();
    wire = await tapWire(eu.poolUrl);
    world = await twoTenants(
      size,
      { connectTimeoutMS: 5_000, poolErrorHandler: () => undefined },
      {
        servers: { eu: { connectionString: withEmptySearchPathInUrl(wire.url), max: size } },
        placements: placesOf(({ slug }) =>
          ['globex', 'umbrella'].includes(slug) ? { server: 'eu', isolation: 'schema' } : DEFAULT_PLACE,
        ),
        ...lending,
      },
    );
    const makeNote = ({ schemaName, slug }: Tenant) =>
      `CREATE SCHEMA ${schemaName}; CREATE TABLE ${schemaName}.note AS SELECT 1 AS id, '${slug} abroad' AS owner;`;
    await eu.query(makeNote(world.globex) + makeNote(umbrella));
    await world.database.query(makeNote(initech));
    wire.reset();
    world.wire.reset();
  };
  afterEach(async () => {
    await world.close();
    await wire.close();
    await eu.drop();
  });

  const borrow = (tenant: Tenant): Promise<PoolClient> =>
    world.context.run(tenant, () => world.pool.connect());
  const find = async (tenant: Tenant) => {
    const [row] = await world.query<{ owner: string }[]>(tenant, 'SELECT owner FROM note');
    return row.owner;
  };
  /** Does `work` while a transaction of the tenant is open, as one piece of work. */
  const within = <T>(tenant: Tenant, work: () => Promise<T>): Promise<T> =>
    world.context.run(tenant, () => world.dataSource.transaction(work));

  it('asks the server of the tenant, in one round trip, and for no tenant the one that is named', async () => {
    await open(1);
    await expect(find(world.globex)).resolves.toBe('globex abroad');
    expect([wire.roundTrips, world.wire.roundTrips]).toEqual([1, 0]);
    await expect(find(world.acme)).resolves.toBe('acme');
    await world.context.runAsSystem(() => world.dataSource.query('SELECT 1'));
    expect([wire.roundTrips, world.wire.roundTrips]).toEqual([1, 2]);
    await world.context.runAsSystem(() => world.dataSource.query('SELECT 1'), 'eu');
    await world.context.runInSchema('t_globex', () => world.dataSource.query('SELECT 1'), 'eu');
    expect([wire.roundTrips, world.wire.roundTrips]).toEqual([3, 2]);
  });

  it('has on each as many connections as there may be, and counts and reports them all', async () => {
    await open(2);
    const held = await Promise.all([world.acme, world.acme, world.globex, umbrella].map(borrow));
    expect([world.pool.totalCount, world.pool.idleCount]).toEqual([4, 0]);
    const waiting = [find(umbrella), find(world.acme)];
    await settled();
    expect(world.pool.waiting).toBe(2);
    const statistics = new PoolStatistics(world.dataSource);
    expect(statistics.read()).toMatchObject({ size: 4, open: 4, active: 4, waiting: 2 });
    for (const client of held) client.release();
    await expect(Promise.all(waiting)).resolves.toEqual(['umbrella abroad', 'acme']);
    expect(statistics.ofTenant(umbrella.id)).toMatchObject({ leases: 2, waits: 1 });
    const broken = await borrow(world.globex);
    broken.release(true);
    expect(world.pool.destroyedByCause).toEqual({ 'told to': 1 });
    expect(statistics.read().destroyed).toEqual({ 'told to': 1 });
  });

  it('lets no tenant wait for the many requests of those on another server', async () => {
    await open(1);
    const held = await borrow(world.acme);
    const flood = [find(world.acme), find(initech)];
    await expect(find(world.globex)).resolves.toBe('globex abroad');
    expect(world.pool.waiting).toBe(2);
    held.release();
    await Promise.all(flood);
  });

  it('serves work first that keeps a connection of the other server', async () => {
    await open(1);
    const served: string[] = [];
    const held = await borrow(world.globex);
    const first = find(umbrella).then(() => served.push('first'));
    await settled();
    // Before its COMMIT, which the other server answers when it likes.
    const nested = within(world.acme, () => find(world.globex).then(() => served.push('nested')));
    while (world.pool.waiting < 2) await settled();
    held.release();
    await Promise.all([first, nested]);
    expect(served[0]).toBe('nested');
  });

  it('has a connection beyond the tenant’s share for it, so that neither waits for the other', async () => {
    await open(2, { maxConnectionsPerTenant: 1 });
    let isHere = 0;
    const both = new Promise<void>((resolve) => {
      world.pool.on('acquire', () => ++isHere === 2 && resolve());
    });
    const crossed = await Promise.all([
      within(world.acme, () => both.then(() => find(world.globex))),
      within(world.globex, () => both.then(() => find(world.acme))),
    ]);
    expect(crossed).toEqual(['globex abroad', 'acme']);
  });

  it('hands a connection over only to a tenant who lives there', async () => {
    await open(1);
    const { context } = world;
    const client = (await context.runUnlimited(world.acme, () => world.pool.connect())) as LeasedClient;
    await context.runUnlimited(world.acme, () => client.query('BEGIN'));
    expect(context.runUnlimited(world.globex, () => client[LEASE].handOver())).toBeUndefined();
    const next = context.runUnlimited(initech, () => client[LEASE].handOver());
    expect(next).toBeDefined();
    await context.runUnlimited(initech, () => next!.handle.query('ROLLBACK'));
    next!.release();
  });

  it('fails only for those whose server is away, until it is back', async () => {
    await open(2);
    await find(world.globex);
    const noticed = new Promise((resolve) => world.pool.once('error', resolve));
    wire.cut();
    await noticed;
    const outcomes = await Promise.allSettled([find(world.globex), find(umbrella), find(world.acme)]);
    expect(outcomes).toMatchObject([
      { status: 'rejected', reason: { code: 'TENANCY_UNAVAILABLE', statusCode: 503 } },
      { status: 'rejected', reason: { code: 'TENANCY_UNAVAILABLE', statusCode: 503 } },
      { status: 'fulfilled', value: 'acme' },
    ]);
    wire.restore();
    await expect(find(umbrella)).resolves.toBe('umbrella abroad');
  });

  it('ends the connections to all of them, and refuses who waits for any', async () => {
    await open(1);
    const held = await Promise.all([world.acme, world.globex].map(borrow));
    const waiting = [find(initech), find(umbrella)].map((each) =>
      expect(each).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' }),
    );
    await settled();
    const ended = world.dataSource.destroy();
    await Promise.all(waiting);
    expect(world.pool.totalCount).toBe(2);
    for (const client of held) client.release();
    await ended;
    expect(world.pool.totalCount).toBe(0);
    await world.context.runAsStart(() => world.dataSource.initialize());
  });

  it('tells of a server that it was not given', async () => {
    await open(1, { placements: placesOf(() => ({ server: 'us', isolation: 'schema' })) });
    await expect(find(world.acme)).rejects.toThrow(
      'on the server "us", which the option servers does not name',
    );
    await expect(world.context.runAsSystem(() => world.dataSource.query('SELECT 1'))).resolves.toHaveLength(
      1,
    );
  });
});
