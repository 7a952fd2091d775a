import { Order, OrderLine, Tag } from './shop-entities';
import { ownersIn, type TwoShops, twoShops } from './two-shops';

describe.each([1, 3])('A lazy relation in a pool of %i', (poolSize) => {
  let shop: TwoShops;

  beforeAll(async () => {
    shop = await twoShops(poolSize);
    await shop.reset();
  });
  afterAll(() => shop.close());

  const firstOrder = () => shop.repository(Order).findOneByOrFail({ id: 1 });

  it('is loaded from the tenant’s rows, however deep', async () => {
    await shop.forBothOften(async (slug) => {
      const order = await firstOrder();
      const tags = await order.tags;
      const [tag] = tags;
      const orders = await tag.orders;
      const product = await order.lines[0].product;
      const paid = await shop.repository(Order).findOneByOrFail({ id: 2 });
      const payments = await paid.payments;
      expect([tags.length, orders.length, payments.length]).toEqual([2, 2, 2]);
      expect(ownersIn([tags, orders, product, payments, await payments[0].order])).toEqual([slug]);
    });
  });

  it('that was loaded stays what it is wherever it is read', async () => {
    const order = await shop.context.run(shop.acme, async () => {
      const found = await firstOrder();
      await found.tags;
      return found;
    });
    await shop.context.run(shop.globex, async () => expect(ownersIn(await order.tags)).toEqual(['acme']));
    expect(ownersIn(await order.tags)).toEqual(['acme']);
  });

  it('that is touched for one tenant and awaited for another is the first one’s', async () => {
    const order = await shop.context.run(shop.acme, firstOrder);
    const touched = shop.context.run(shop.acme, () => ({ tags: order.tags }));
    await shop.context.run(shop.globex, async () => expect(ownersIn(await touched.tags)).toEqual(['acme']));
  });

  it('is loaded by the transaction that loaded its entity, while that is open', async () => {
    await shop.forBoth((slug) =>
      shop.dataSource.transaction(async (manager) => {
        await manager.update(Tag, { id: 1 }, { label: `${slug} uncommitted` });
        const order = await manager.findOneByOrFail(Order, { id: 1 });
        const tags = await order.tags;
        expect(tags.map(({ label }) => label).sort()).toEqual([`${slug} tag 2`, `${slug} uncommitted`]);
        await manager.queryRunner?.query('ROLLBACK; START TRANSACTION');
      }),
    );
    await shop.reset();
  });

  it('can be set and saved', async () => {
    await shop.forBoth(async (slug) => {
      const line = await shop.repository(OrderLine).findOneByOrFail({ id: 3 });
      const order = await firstOrder();
      line.product = Promise.resolve(await order.lines[1].product);
      await shop.repository(OrderLine).save(line);
      const saved = await shop.repository(OrderLine).findOneByOrFail({ id: 3 });
      await expect(saved.product).resolves.toMatchObject({ id: 2, owner: slug });
    });
    for (const slug of ['acme', 'globex']) {
      await expect(
        shop.outside(slug, 'SELECT "productId" AS id FROM {schema}.order_line WHERE id = 3'),
      ).resolves.toEqual([{ id: 2 }]);
    }
    await shop.reset();
  });

  const touch = (order: Order) => Promise.resolve().then(() => order.tags);

  it('is refused to another tenant’s code, and still there for its own', async () => {
    const order = await shop.context.run(shop.acme, firstOrder);
    await expect(shop.context.run(shop.globex, () => touch(order))).rejects.toMatchObject({
      code: 'TENANT_CONTEXT_MISMATCH',
    });
    await expect(touch(order)).rejects.toMatchObject({ code: 'TENANT_REQUIRED' });
    await expect(shop.context.runAsSystem(() => touch(order))).rejects.toMatchObject({
      code: 'TENANT_CONTEXT_MISMATCH',
    });
    expect(ownersIn(await shop.context.run(shop.acme, () => touch(order)))).toEqual(['acme']);
  });
  it('the same inside an open transaction', async () => {
    await shop.context.run(shop.acme, () =>
      shop.dataSource.transaction(async (manager) => {
        const order = await manager.findOneByOrFail(Order, { id: 1 });
        await expect(shop.context.run(shop.globex, () => touch(order))).rejects.toMatchObject({
          code: 'TENANT_CONTEXT_MISMATCH',
        });
        expect(ownersIn(await touch(order))).toEqual(['acme']);
      }),
    );
  });
  it('everything else goes on', async () => {
    await shop.forBothOften(async (slug) => {
      const order = await firstOrder();
      const tags = await order.tags;
      const orders = await tags[0].orders;
      const found = await shop
        .repository(Order)
        .find({ relations: { tags: true, payments: true }, relationLoadStrategy: 'query' });
      expect(ownersIn([tags, orders, found])).toEqual([slug]);
      const fresh = shop.repository(Order).create({ id: 1 });
      expect(ownersIn(await fresh.tags)).toEqual([slug]);
      const plain = Object.assign(new Order(), { id: 1 });
      expect(ownersIn(await plain.tags)).toEqual([slug]);
      await expect(
        shop.dataSource.createQueryBuilder().relation(Order, 'lines').of(order).loadMany(),
      ).resolves.toHaveLength(2);
    });
  });

  it('that cannot be loaded fails for who awaits it, and for nobody else', async () => {
    await shop.context.run(shop.acme, async () => {
      const order = await firstOrder();
      await shop.outside('acme', 'ALTER TABLE {schema}.order_tag RENAME TO gone');
      try {
        await expect(touch(order)).rejects.toMatchObject({ code: '42P01' });
      } finally {
        await shop.outside('acme', 'ALTER TABLE {schema}.gone RENAME TO order_tag');
      }
    });
  });
});
