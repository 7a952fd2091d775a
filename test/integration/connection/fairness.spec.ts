import { Pool, type PoolClient } from 'pg';
import { TenancyUnavailableError, TenantBusyError } from '../../../lib';
import type { Tenant } from '../../../lib/registry/tenant';
import type { TenantPoolOptions } from '../../../lib/connection/pool/tenant-pool.options';
import { ManualClock, settled } from '../../support/manual-clock';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

describe('A pool that tenants share', () => {
  let world: TwoTenants;
  const clock = new ManualClock();
  const open = async (size: number, lending: Partial<TenantPoolOptions>) => {
    world = await twoTenants(size, { connectTimeoutMS: 10_000 }, { clock, ...lending });
  };
  const borrow = (tenant: Tenant): Promise<PoolClient> =>
    world.context.run(tenant, () => world.pool.connect());
  /** Asks as different requests would, and writes down who got a connection, in order. */
  const queueUp = (...tenants: Tenant[]) => {
    const served: string[] = [];
    const all = tenants.map(async (tenant) => {
      const client = await borrow(tenant);
      served.push(tenant.slug);
      client.release();
    });
    return { served, all: Promise.all(all) };
  };
  /** `SELECT` of the tenant that the pool is to be asked for once more. */
  const query = (tenant: Tenant) => world.query(tenant, 'SELECT owner FROM note');

  afterEach(() => world.close());

  it('answers 503 when pg-pool itself gives up, and serves the next', async () => {
    await open(1, {});
    type Callback = (error: Error) => void;
    const connect = jest.spyOn(Pool.prototype, 'connect') as unknown as jest.Mock<void, [Callback]>;
    // Without a release, as it does it.
    connect.mockImplementationOnce((callback) =>
      callback(new Error('timeout exceeded when trying to connect')),
    );
    await expect(borrow(world.acme)).rejects.toThrow(TenancyUnavailableError);
    connect.mockRestore();
    await expect(query(world.acme)).resolves.toEqual([{ owner: 'acme' }]);
  });

  it('tells who waits, not who releases, that no connection could be made', async () => {
    await open(1, {});
    const held = await borrow(world.acme);
    const waiting = borrow(world.globex);
    const connect = jest.spyOn(Pool.prototype, 'connect');
    connect.mockImplementationOnce(() => {
      throw new Error('no client');
    });
    // One that is lost is not given to the next, so another is to be made.
    expect(() => held.release(new Error('lost'))).not.toThrow();
    await expect(waiting).rejects.toThrow('no client');
    connect.mockRestore();
    await expect(query(world.globex)).resolves.toEqual([{ owner: 'globex' }]);
  });

  it('serves thousands that release at once what they are given', async () => {
    await open(1, {});
    const held = await borrow(world.acme);
    const served = Array.from({ length: 5_000 }, () =>
      world.context.run(
        world.globex,
        () =>
          new Promise<void>((resolve, reject) =>
            world.pool.connect((error, _client, release) => {
              release();
              if (error) reject(error);
              else resolve();
            }),
          ),
      ),
    );
    held.release();
    await Promise.all(served);
    expect(world.pool.totalCount).toBe(1);
  });

  describe('with one connection for one tenant, of two', () => {
    beforeEach(() => open(2, { maxConnectionsPerTenant: 1, maxWaitingPerTenant: 3 }));

    it('has one for others, however many requests one tenant sends', async () => {
      const held = await borrow(world.acme);
      const flood = queueUp(world.acme, world.acme, world.acme);
      await expect(query(world.globex)).resolves.toEqual([{ owner: 'globex' }]);
      expect(world.pool.waiting).toBe(3);
      held.release();
      await flood.all;
      expect(flood.served).toHaveLength(3);
    });

    it('is never used by a tenant for more at once, as PostgreSQL sees it', async () => {
      const active = `SELECT count(*)::int AS active FROM pg_stat_activity, pg_sleep(0.02)
        WHERE state = 'active' AND application_name <> 'x' AND datname = current_database() AND query LIKE '%pg_sleep%'`;
      const counts = await Promise.all(
        Array.from({ length: 4 }, () => world.query<{ active: number }[]>(world.acme, active)),
      );
      expect(counts.map(([row]) => row.active)).toEqual([1, 1, 1, 1]);
    });

    it('answers TENANT_BUSY at once when too many of a tenant wait, and takes others’ requests', async () => {
      const held = await borrow(world.acme);
      const flood = queueUp(world.acme, world.acme, world.acme);
      await expect(query(world.acme)).rejects.toMatchObject({
        code: 'TENANT_BUSY',
        statusCode: 503,
        headers: { 'Retry-After': '1' },
      });
      await expect(query(world.globex)).resolves.toEqual([{ owner: 'globex' }]);
      held.release();
      await flood.all;
      await expect(query(world.acme)).resolves.toEqual([{ owner: 'acme' }]);
    });

    it('answers TENANT_BUSY to who has waited for the tenant’s own connections for connectTimeoutMs', async () => {
      const held = await borrow(world.acme);
      const waiting = query(world.acme);
      const outcome = expect(waiting).rejects.toBeInstanceOf(TenantBusyError);
      await clock.advance(9_999);
      expect(world.pool.waiting).toBe(1);
      await clock.advance(1);
      await outcome;
      expect(world.pool.waiting).toBe(0);
      held.release();
      await expect(query(world.acme)).resolves.toEqual([{ owner: 'acme' }]);
    });

    it('answers TENANCY_UNAVAILABLE to who has waited for others’ connections', async () => {
      const held = [await borrow(world.globex), await world.context.runAsSystem(() => world.pool.connect())];
      const outcome = expect(query(world.acme)).rejects.toBeInstanceOf(TenancyUnavailableError);
      await clock.advance(10_000);
      await outcome;
      for (const client of held) client.release();
      await expect(query(world.acme)).resolves.toEqual([{ owner: 'acme' }]);
    });

    it('lends on what nobody waits for any longer', async () => {
      const held = await borrow(world.acme);
      const abandoned = expect(query(world.acme)).rejects.toThrow();
      await clock.advance(10_000);
      const next = query(world.acme);
      held.release();
      await abandoned;
      await expect(next).resolves.toEqual([{ owner: 'acme' }]);
    });

    it('lets the operator’s own work, migrations say, have what it needs', async () => {
      const clients = await Promise.all([
        world.context.runUnlimited(world.acme, () => world.pool.connect()),
        world.context.runUnlimited(world.acme, () => world.pool.connect()),
      ]);
      for (const client of clients) client.release();
    });

    it('tells those who wait when it is ended, and ends when the last connection is back', async () => {
      const held = await borrow(world.acme);
      const waiting = expect(query(world.acme)).rejects.toBeInstanceOf(TenancyUnavailableError);
      const ended = world.dataSource.destroy();
      await waiting;
      held.release();
      await ended;
      await world.context.runAsStart(() => world.dataSource.initialize());
    });

    it('goes on lending after connections that could not be opened', async () => {
      world.wire.cut();
      await Promise.allSettled([query(world.acme), query(world.acme), query(world.globex)]);
      world.wire.restore();
      for (;;) {
        const outcomes = await Promise.allSettled([query(world.acme), query(world.globex)]);
        if (outcomes.every(({ status }) => status === 'fulfilled')) break;
      }
      expect(world.pool.leases.size).toBe(0);
    });
  });

  describe('with work that needs a second connection while it holds the first', () => {
    beforeEach(() => open(3, { maxConnectionsPerTenant: 1 }));
    const { runTwice } = {
      runTwice: (inner: (tenant: Tenant) => Promise<unknown>) =>
        world.context.run(world.acme, () => world.dataSource.transaction(() => inner(world.acme))),
    };

    it.each<[string, () => Promise<unknown>]>([
      ['a plain repository inside a transaction', () => runTwice(() => world.dataSource.query('SELECT 1'))],
      [
        'many statements at once inside a transaction',
        () =>
          runTwice(() => Promise.all(Array.from({ length: 20 }, () => world.dataSource.query('SELECT 1')))),
      ],
      ['run() for the same tenant', () => runTwice((tenant) => query(tenant))],
      [
        'a transaction inside run() for another tenant, and back',
        () =>
          runTwice(() =>
            world.context.run(world.globex, () => world.dataSource.transaction(() => query(world.acme))),
          ),
      ],
      ['work for the system', () => runTwice(() => world.context.runAsSystem(() => query(world.acme)))],
    ])('does not let it wait for itself: %s', async (_case, work) => {
      await expect(work()).resolves.toBeDefined();
      expect(world.pool.waiting).toBe(0);
    });
  });

  it('serves tenants in turn, not in the order of requests', async () => {
    await open(1, {});
    const held = await borrow(world.acme);
    const { served, all } = queueUp(
      ...Array.from({ length: 5 }, () => world.acme),
      world.globex,
      world.globex,
    );
    await settled();
    held.release();
    await all;
    expect(served).toEqual(['acme', 'globex', 'acme', 'globex', 'acme', 'acme', 'acme']);
  });

  it('counts who had to wait, for how long, and who was refused', async () => {
    await open(1, { maxWaitingPerTenant: 1 });
    const held = await borrow(world.acme);
    const { all } = queueUp(world.acme);
    await expect(query(world.acme)).rejects.toBeInstanceOf(TenantBusyError);
    await clock.advance(250);
    held.release();
    await all;
    const { counters } = world.pool;
    expect(counters).toMatchObject({ waits: 1, waitedMs: 250, refused: 1 });
    expect(counters.loadOf(world.acme.id)).toMatchObject({
      tenantId: world.acme.id,
      active: 0,
      leases: 2,
      waits: 1,
      waitedMs: 250,
      refused: 1,
    });
  });
});
