import {
  ArrayContains,
  Between,
  ILike,
  In,
  IsNull,
  JsonContains,
  LessThan,
  Like,
  MoreThan,
  Not,
  Raw,
} from 'typeorm';
import {
  CardPayment,
  CashPayment,
  Customer,
  CustomerSummary,
  Order,
  OrderLine,
  OrderStatus,
  Payment,
  Product,
  Profile,
} from './shop-entities';
import { ownersIn, PROFILE_ID, type TwoShops, twoShops } from './two-shops';

type Read = (shop: TwoShops, slug: string) => Promise<unknown>;
type Expected = (slug: string) => unknown;

const orders = ({ repository }: TwoShops) => repository(Order);

const READS: readonly [what: string, read: Read, expected: Expected][] = [
  ['find()', (shop) => orders(shop).find({ order: { id: 'ASC' } }), () => [{ id: 1 }, { id: 2 }]],
  [
    'where with an enum, a number through a transformer and an array',
    (shop, slug) =>
      orders(shop).find({
        where: { status: OrderStatus.Open, cents: Between(1, 100), notes: ArrayContains([slug]) },
      }),
    (slug) => [{ id: 1, cents: 100, notes: [slug, 'first'], shout: `${slug.toUpperCase()} ORDER 1` }],
  ],
  [
    'where with alternatives and operators',
    (shop) =>
      orders(shop).find({
        where: [
          { label: ILike('%ORDER 1'), deletedAt: IsNull() },
          { id: In([2, 3]), cents: MoreThan(150) },
        ],
        order: { id: 'DESC' },
      }),
    () => [{ id: 2 }, { id: 1 }],
  ],
  [
    'where on a related entity, which is loaded too',
    (shop, slug) =>
      orders(shop).find({
        where: { customer: { address: { city: `${slug} city` } }, id: Not(2) },
        relations: { customer: { profile: true } },
      }),
    (slug) => [{ id: 1, customer: { id: 1, profile: { preferences: { theme: slug } } } }],
  ],
  [
    'where inside a JSON document',
    (shop, slug) => shop.repository(Profile).findBy({ preferences: JsonContains({ theme: slug }) }),
    (slug) => [{ id: PROFILE_ID, preferences: { theme: slug, size: 1 } }],
  ],
  [
    'where with SQL of its own that has a subquery',
    (shop) =>
      orders(shop).findBy({
        id: Raw((id) => `${id} IN (SELECT "orderId" FROM order_line WHERE quantity = :quantity)`, {
          quantity: 3,
        }),
      }),
    () => [{ id: 2 }],
  ],
  [
    'relations over every kind of relation',
    (shop) =>
      shop.repository(Customer).findOneOrFail({
        where: { id: 1 },
        relations: { profile: true, orders: { lines: true, tags: true, payments: true } },
        order: { orders: { id: 'ASC', lines: { id: 'ASC' } } },
      }),
    () => ({
      id: 1,
      profile: { id: PROFILE_ID },
      orders: [{ id: 1, lines: [{ id: 1 }, { id: 2 }] }, { id: 2 }],
    }),
  ],
  [
    'relations by separate queries',
    (shop) =>
      shop.repository(Customer).find({
        relations: { profile: true, orders: { lines: true } },
        relationLoadStrategy: 'query',
        order: { id: 'ASC' },
      }),
    () => [
      { id: 1, profile: { id: PROFILE_ID } },
      { id: 2, orders: [] },
    ],
  ],
  [
    'eager relations without being asked',
    (shop) => orders(shop).findOneByOrFail({ id: 1 }),
    () => ({ id: 1, lines: [{ id: 1 }, { id: 2 }] }),
  ],
  [
    'take and skip with relations',
    (shop) =>
      shop
        .repository(Customer)
        .find({ relations: { orders: true }, order: { id: 'DESC' }, take: 1, skip: 1 }),
    () => [{ id: 1, orders: [{}, {}] }],
  ],
  [
    'select',
    (shop) =>
      shop.repository(Customer).find({
        select: { id: true, owner: true, profile: { id: true, owner: true } },
        relations: { profile: true },
        order: { id: 'ASC' },
      }),
    (slug) => [
      { id: 1, owner: slug, profile: { id: PROFILE_ID, owner: slug } },
      { id: 2, owner: slug },
    ],
  ],
  [
    'loadRelationIds',
    (shop) => orders(shop).findOneOrFail({ where: { id: 1 }, loadRelationIds: true }),
    () => ({ id: 1, customer: 1, lines: [1, 2] }),
  ],
  [
    'withDeleted',
    (shop) => orders(shop).find({ withDeleted: true, where: { cents: MoreThan(200) } }),
    () => [{ id: 3, deletedAt: expect.any(Date) }],
  ],
  [
    'findAndCount',
    (shop) => orders(shop).findAndCount({ where: { label: Like('% 2') } }),
    () => [[{ id: 2 }], 1],
  ],
  [
    'the parent of an inheritance',
    (shop) => shop.repository(Payment).find({ order: { id: 'ASC' } }),
    () => [expect.any(CardPayment), expect.any(CashPayment)],
  ],
  ['a child of an inheritance', (shop) => shop.repository(CashPayment).find(), () => [{ id: 2, coins: 7 }]],
  [
    'a view entity',
    (shop) => shop.repository(CustomerSummary).find({ order: { id: 'ASC' } }),
    (slug) => [
      { id: 1, owner: slug, orders: 2 },
      { id: 2, owner: slug, orders: 0 },
    ],
  ],
  [
    'preload',
    (shop) => shop.repository(Product).preload({ id: 1, stock: 99 }),
    () => ({ id: 1, sku: 'anvil', stock: 99 }),
  ],
];

describe.each([1, 3])('find() in a pool of %i', (poolSize) => {
  let shop: TwoShops;

  beforeAll(async () => {
    shop = await twoShops(poolSize);
    await shop.reset();
  });
  afterAll(() => shop.close());

  it.each(READS)('reads the tenant’s own rows with %s', async (_what, read, expected) => {
    await shop.forBothOften(async (slug) => {
      const found = await read(shop, slug);
      expect(found).toMatchObject(expected(slug) as object);
      expect(ownersIn(found)).toEqual([slug]);
    });
  });

  it('counts, sums and finds out within the tenant', async () => {
    await shop.outside(
      'acme',
      `INSERT INTO {schema}.product (label, sku, stock) VALUES ('acme glue', 'glue', 5)`,
    );
    try {
      await shop.forBothOften(async (slug) => {
        const products = shop.repository(Product);
        const isAcme = slug === 'acme';
        await expect(
          Promise.all([
            products.count(),
            products.countBy({ stock: LessThan(15) }),
            products.sum('stock'),
            products.average('stock', { sku: In(['anvil', 'rope']) }),
            products.minimum('stock'),
            products.maximum('stock'),
            products.existsBy({ sku: 'glue' }),
            products.exists({ where: { label: `${slug} rope` } }),
          ]),
        ).resolves.toEqual(isAcme ? [3, 2, 35, 15, 5, 20, true, true] : [2, 1, 30, 15, 10, 20, false, true]);
      });
    } finally {
      await shop.reset();
    }
  });

  it('does not find what only the other tenant has', async () => {
    await shop.forBoth(async (slug) => {
      const other = slug === 'acme' ? 'globex' : 'acme';
      await expect(shop.repository(OrderLine).findOneBy({ label: `${other} line 1` })).resolves.toBeNull();
      await expect(orders(shop).findOneByOrFail({ notes: ArrayContains([other]) })).rejects.toThrow(
        'Could not find any entity',
      );
    });
  });
});
