import type { DataSource } from 'typeorm';
import {
  initializeTenantDataSource,
  tenantDriver,
  withEmptySearchPathInUrl,
} from '../../../lib/connection/typeorm/tenant-data-source';
import type { TenantPool } from '../../../lib/connection/pool/tenant-pool';
import { tapWire, type WireTap } from '../../support/wire-tap';
import { Customer, CustomerSummary, Order, SHOP_ENTITIES, Tag } from './shop-entities';
import { FIRST_NEW_ID, ownersIn, type TwoShops, twoShops } from './two-shops';

/** One database behind two wires: which of them was used tells the primary from the replica. */
describe.each([1, 3])('With a primary and a replica, in pools of %i', (poolSize) => {
  let shop: TwoShops;
  let primary: WireTap;
  let replica: WireTap;
  let dataSource: DataSource;

  const connect = (masterUrl: string, slaveUrl: string, changes: object = {}) =>
    initializeTenantDataSource(
      {
        type: 'postgres',
        driver: tenantDriver({ context: shop.context }),
        installExtensions: false,
        entities: SHOP_ENTITIES,
        poolSize,
        replication: { master: { url: masterUrl }, slaves: [{ url: slaveUrl }], ...changes },
      },
      shop.context,
      shop.database.url,
    );

  beforeAll(async () => {
    shop = await twoShops(1);
    primary = await tapWire(shop.database.poolUrl);
    replica = await tapWire(shop.database.poolUrl);
    dataSource = await connect(withEmptySearchPathInUrl(primary.url), withEmptySearchPathInUrl(replica.url));
  });
  afterAll(async () => {
    await dataSource.destroy();
    await primary.close();
    await replica.close();
    await shop.close();
  });
  beforeEach(async () => {
    await shop.reset();
    primary.reset();
    replica.reset();
  });

  it('a tenant’s reads ride to the replica, in one round trip each', async () => {
    await shop.forBothOften(async (slug) => {
      const found = await dataSource.getRepository(Customer).find({ relations: { profile: true } });
      expect(ownersIn(found)).toEqual([slug]);
    });
    expect(replica.roundTrips).toBe(6);
    expect(primary.messages).toEqual([]);
  });

  it('lazy relations, streams and views are read from the replica too', async () => {
    await shop.forBothOften(async (slug) => {
      const order = await dataSource.getRepository(Order).findOneByOrFail({ id: 1 });
      const tags = await order.tags;
      const stream = await dataSource.getRepository(Tag).createQueryBuilder('tag').stream();
      const rows = (await stream.toArray()) as unknown[];
      const summaries = await dataSource.getRepository(CustomerSummary).find();
      expect(ownersIn([order, tags, rows, summaries])).toEqual([slug]);
    });
    expect(primary.messages).toEqual([]);
  });

  it('writes, raw statements and transactions with all they read go to the primary', async () => {
    await shop.forBoth(async (slug) => {
      await dataSource.getRepository(Tag).insert({ label: `${slug} inserted` });
      await dataSource.transaction(async (manager) => {
        await manager.update(Tag, { id: 1 }, { label: `${slug} changed` });
        const found = await manager.find(Tag, { order: { id: 'ASC' } });
        expect(found.map(({ label }) => label)).toEqual([
          `${slug} changed`,
          `${slug} tag 2`,
          `${slug} inserted`,
        ]);
      });
      await expect(dataSource.query('SELECT owner FROM tag WHERE id = 2')).resolves.toEqual([
        { owner: slug },
      ]);
    });
    expect(replica.messages).toEqual([]);
    expect(await shop.strays()).toEqual([]);
    for (const slug of ['acme', 'globex']) {
      await expect(
        shop.outside(slug, `SELECT label FROM {schema}.tag WHERE id = ${FIRST_NEW_ID}`),
      ).resolves.toEqual([{ label: `${slug} inserted` }]);
    }
  });

  it('a query runner goes where it is told to', async () => {
    await shop.forBoth(async (slug) => {
      const runner = dataSource.createQueryRunner('slave');
      try {
        await expect(runner.query('SELECT owner FROM tag WHERE id = 1')).resolves.toEqual([{ owner: slug }]);
      } finally {
        await runner.release();
      }
    });
    expect([replica.roundTrips, primary.roundTrips]).toEqual([2, 0]);
  });

  it('reads go to the primary where the application wants it so', async () => {
    const careful = await connect(
      withEmptySearchPathInUrl(primary.url),
      withEmptySearchPathInUrl(replica.url),
      { defaultMode: 'master' },
    );
    try {
      primary.reset();
      replica.reset();
      await shop.forBoth(async (slug) =>
        expect(ownersIn(await careful.getRepository(Tag).find())).toEqual([slug]),
      );
      expect([replica.roundTrips, primary.roundTrips]).toEqual([0, 2]);
    } finally {
      await careful.destroy();
    }
  });

  it('code that runs for nobody reaches neither', async () => {
    const attempts = [
      () => dataSource.getRepository(Tag).find(),
      () => dataSource.getRepository(Tag).insert({ label: 'nobody' }),
      () => dataSource.createQueryRunner('slave').query('SELECT * FROM tag'),
    ];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toMatchObject({ code: 'TENANT_REQUIRED' });
    }
    expect([primary.messages, replica.messages]).toEqual([[], []]);
  });

  it('a replica’s connection lent to one tenant is refused to another', async () => {
    const runner = dataSource.createQueryRunner('slave');
    await shop.context.run(shop.acme, () => runner.query('SELECT 1'));
    await expect(
      shop.context.run(shop.globex, () => runner.query('SELECT * FROM tag')),
    ).rejects.toMatchObject({ code: 'TENANT_CONTEXT_MISMATCH' });
    await runner.release();
  });

  it('nothing is left on the replica’s connections', async () => {
    const { slaves } = dataSource.driver as unknown as { slaves: TenantPool[] };
    await shop.forBothOften(() => dataSource.getRepository(Tag).find());
    expect(slaves[0].destroyedByCause).toEqual({});
    const path = `SELECT reset_val AS path FROM pg_settings WHERE name = 'search_path'`;
    await shop.context.runAsSystem(async () => {
      await expect(slaves[0].query(path)).resolves.toMatchObject({ rows: [{ path: '' }] });
      await expect(slaves[0].query('SELECT * FROM tag')).rejects.toMatchObject({ code: '42P01' });
    });
  });

  it('a replica whose sessions begin with a path fails the start', async () => {
    await expect(connect(withEmptySearchPathInUrl(primary.url), replica.url)).rejects.toMatchObject({
      code: 'UNSAFE_SESSION',
    });
  });
});
