import { pipeline } from 'node:stream/promises';
import { Writable } from 'node:stream';
import { Customer, Order, OrderLine, OrderStatus, Product, StockReport, Tag } from './shop-entities';
import { FIRST_NEW_ID, ownersIn, type TwoShops, twoShops } from './two-shops';

describe.each([1, 3])('A query builder in a pool of %i', (poolSize) => {
  let shop: TwoShops;

  beforeAll(async () => {
    shop = await twoShops(poolSize);
  });
  afterAll(() => shop.close());
  beforeEach(() => shop.reset());
  afterEach(async () => expect(await shop.strays()).toEqual([]));

  const orders = (alias = 'purchase') => shop.repository(Order).createQueryBuilder(alias);

  it('joins, maps and counts relations of the tenant', async () => {
    await shop.forBothOften(async (slug) => {
      const found = await shop
        .repository(Customer)
        .createQueryBuilder('customer')
        .innerJoinAndSelect('customer.orders', 'purchase', 'purchase.status IN (:...statuses)', {
          statuses: Object.values(OrderStatus),
        })
        .leftJoinAndSelect('purchase.lines', 'line')
        .leftJoinAndSelect('line.product', 'product')
        .leftJoinAndMapMany('purchase.marks', Tag, 'tag', 'tag.id = purchase.id')
        .where('customer.label LIKE :label', { label: `${slug} %` })
        .orderBy('purchase.id')
        .getMany();
      expect(found).toMatchObject([{ id: 1, orders: [{ id: 1, marks: [{ id: 1 }] }, { id: 2 }] }]);
      expect(ownersIn(found)).toEqual([slug]);
    });
  });

  it('takes and skips with a join, in two statements', async () => {
    await shop.forBothOften(async (slug) => {
      const [found, count] = await orders()
        .leftJoinAndSelect('purchase.lines', 'line')
        .orderBy('purchase.id', 'DESC')
        .take(1)
        .skip(1)
        .getManyAndCount();
      expect(found).toMatchObject([{ id: 1, lines: [{ id: 1 }, { id: 2 }] }]);
      expect([count, ownersIn(found)]).toEqual([2, [slug]]);
    });
  });

  it('reads subqueries in every place', async () => {
    await shop.forBothOften(async (slug) => {
      const rows = await shop.dataSource
        .createQueryBuilder()
        .select('purchase.label', 'label')
        .addSelect('lines.sum', 'sum')
        .addSelect((sub) => sub.select('max(tag.label)').from(Tag, 'tag'), 'tag_label')
        .from((sub) => sub.select('*').from(Order, 'inner'), 'purchase')
        .innerJoin(
          (sub) =>
            sub
              .select('line."orderId"', 'orderId')
              .addSelect('sum(line.quantity)::int', 'sum')
              .from(OrderLine, 'line')
              .groupBy('line."orderId"'),
          'lines',
          'lines."orderId" = purchase.id',
        )
        .where(
          (builder) =>
            `purchase."customerId" = ${builder.subQuery().select('min(customer.id)').from(Customer, 'customer').getQuery()}`,
        )
        .orderBy('purchase.id')
        .getRawMany();
      expect(rows).toEqual([
        { label: `${slug} order 1`, sum: 3, tag_label: `${slug} tag 2` },
        { label: `${slug} order 2`, sum: 3, tag_label: `${slug} tag 2` },
      ]);
    });
  });

  it('reads and writes common table expressions', async () => {
    await shop.forBoth(async (slug) => {
      const sold = shop
        .repository(Product)
        .createQueryBuilder()
        .update()
        .set({ stock: () => 'stock - 1' })
        .where('sku = :sku', { sku: 'anvil' })
        .returning('id, stock, owner');
      const rows = await shop.dataSource
        .createQueryBuilder()
        .addCommonTableExpression(sold, 'sold')
        .addCommonTableExpression(
          'SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < 2',
          'numbers',
          { recursive: true },
        )
        .select('*')
        .from('sold', 'sold')
        .innerJoin('numbers', 'numbers', 'true')
        .orderBy('n')
        .getRawMany();
      expect(rows).toEqual([1, 2].map((n) => ({ id: 1, stock: 9, owner: slug, n })));
    });
  });

  it('inserts, updates and deletes with RETURNING', async () => {
    await shop.forBoth(async (slug) => {
      const tags = shop.repository(Tag);
      const inserted = await tags
        .createQueryBuilder()
        .insert()
        .values([{ label: `${slug} new` }, { label: `${slug} newer` }])
        .returning(['id', 'owner', 'label'])
        .execute();
      expect(inserted.raw).toEqual([
        { id: FIRST_NEW_ID, owner: slug, label: `${slug} new` },
        { id: FIRST_NEW_ID + 1, owner: slug, label: `${slug} newer` },
      ]);
      const updated = await tags
        .createQueryBuilder()
        .update()
        .set({ label: () => `label || '!'` })
        .where('id > 100')
        .returning('*')
        .execute();
      expect([updated.affected, ownersIn(updated.raw)]).toEqual([2, [slug]]);
      const deleted = await tags
        .createQueryBuilder()
        .delete()
        .where('id = :id', { id: FIRST_NEW_ID })
        .returning('label, owner')
        .execute();
      expect(deleted).toMatchObject({ affected: 1, raw: [{ label: `${slug} new!`, owner: slug }] });
    });
    for (const slug of ['acme', 'globex']) {
      await expect(shop.outside(slug, 'SELECT label FROM {schema}.tag WHERE id > 100')).resolves.toEqual([
        { label: `${slug} newer!` },
      ]);
    }
  });

  it('inserts, or updates what is there, or leaves it', async () => {
    await shop.forBoth(async (slug) => {
      const products = shop.repository(Product).createQueryBuilder();
      await products
        .insert()
        .values({ sku: 'anvil', label: `${slug} better anvil`, stock: 1 })
        .orUpdate(['label', 'stock'], ['sku'])
        .execute();
      await products
        .insert()
        .values({ sku: 'rope', label: `${slug} better rope`, stock: 1 })
        .orIgnore()
        .execute();
    });
    for (const slug of ['acme', 'globex']) {
      await expect(
        shop.outside(slug, 'SELECT id, label, stock FROM {schema}.product ORDER BY id'),
      ).resolves.toEqual([
        { id: 1, label: `${slug} better anvil`, stock: 1 },
        { id: 2, label: `${slug} rope`, stock: 20 },
      ]);
    }
  });

  it('adds to, sets and takes away relations', async () => {
    await shop.forBoth(async () => {
      const of = (relation: string, id: number) =>
        shop.dataSource.createQueryBuilder().relation(Order, relation).of(id);
      await of('tags', 2).add(2);
      await of('tags', 1).remove([1, 2]);
      await of('customer', 2).set(2);
      await expect(of('lines', 1).loadMany<OrderLine>()).resolves.toHaveLength(2);
    });
    for (const slug of ['acme', 'globex']) {
      await expect(shop.outside(slug, 'SELECT * FROM {schema}.order_tag ORDER BY 1, 2')).resolves.toEqual([
        { orderId: 2, tagId: 1 },
        { orderId: 2, tagId: 2 },
      ]);
      await expect(
        shop.outside(slug, 'SELECT "customerId" AS id FROM {schema}."order" WHERE id = 2'),
      ).resolves.toEqual([{ id: 2 }]);
    }
  });

  it('soft-deletes and restores', async () => {
    await shop.forBoth(async (slug) => {
      if (slug === 'acme') await orders().softDelete().where('id = 1').execute();
      else await orders().restore().where('id = 3').execute();
    });
    await shop.forBoth(async (slug) => {
      await expect(orders().getMany()).resolves.toHaveLength(slug === 'acme' ? 1 : 3);
      await expect(orders().withDeleted().getCount()).resolves.toBe(3);
    });
  });

  it('streams rows, and gives its connection back', async () => {
    for (const slug of ['acme', 'globex']) {
      await shop.outside(
        slug,
        `INSERT INTO {schema}.tag (id, label) SELECT n, '${slug} tag' FROM generate_series(1000, 1999) AS n`,
      );
    }
    await shop.forBothOften(async (slug) => {
      const rows: unknown[] = [];
      const stream = await shop
        .repository(Tag)
        .createQueryBuilder('tag')
        .where('id >= :first', { first: 1000 })
        .stream();
      await pipeline(
        stream,
        new Writable({ objectMode: true, write: (row, _encoding, done) => (rows.push(row), done()) }),
      );
      expect([rows.length, ownersIn(rows)]).toEqual([1000, [slug]]);
    });
    expect(shop.pool.waitingCount).toBe(0);
    expect(shop.pool.idleCount).toBe(shop.pool.totalCount);
    expect(shop.pool.destroyedByCause).toEqual({});
  });

  it('streams inside a transaction', async () => {
    await shop.forBoth((slug) =>
      shop.dataSource.transaction(async (manager) => {
        await manager.insert(Tag, { label: `${slug} uncommitted` });
        const stream = await manager.createQueryBuilder(Tag, 'tag').orderBy('tag.id', 'DESC').stream();
        const rows = (await stream.toArray()) as unknown[];
        expect(rows[0]).toMatchObject({ tag_label: `${slug} uncommitted`, tag_owner: slug });
        expect(ownersIn(rows)).toEqual([slug]);
      }),
    );
  });

  it('reads a materialized view as it was when the tenant refreshed it', async () => {
    const stock = () => shop.repository(StockReport).createQueryBuilder('report').orderBy('id').getMany();
    await shop.forBoth(async (slug) => {
      await shop.dataSource.query('REFRESH MATERIALIZED VIEW stock_report');
      await shop.repository(Product).updateAll({ stock: 1 });
      if (slug === 'acme') await shop.dataSource.query('REFRESH MATERIALIZED VIEW stock_report');
    });
    await shop.forBoth(async (slug) => {
      const found = await stock();
      expect(found.map((row) => row.stock)).toEqual(slug === 'acme' ? [1, 1] : [10, 20]);
      expect(ownersIn(found)).toEqual([slug]);
    });
  });

  it('runs raw SQL, with parameters and without, and several statements in one text', async () => {
    await shop.forBothOften(async (slug) => {
      await expect(shop.dataSource.query('SELECT owner FROM "order" WHERE id = $1', [1])).resolves.toEqual([
        { owner: slug },
      ]);
      await expect(shop.repository(Order).query('SELECT owner FROM customer WHERE id = 2')).resolves.toEqual([
        { owner: slug },
      ]);
      await expect(shop.dataSource.sql`SELECT owner FROM product WHERE sku = ${'rope'}`).resolves.toEqual([
        { owner: slug },
      ]);
    });
    await shop.forBoth((slug) =>
      shop.dataSource.query(`UPDATE tag SET label = '${slug} a' WHERE id = 1; DELETE FROM tag WHERE id = 2`),
    );
    for (const slug of ['acme', 'globex']) {
      await expect(shop.outside(slug, 'SELECT label FROM {schema}.tag')).resolves.toEqual([
        { label: `${slug} a` },
      ]);
    }
  });
});
