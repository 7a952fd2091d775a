import { randomUUID } from 'node:crypto';
import { OptimisticLockVersionMismatchError } from 'typeorm';
import {
  AuditEntry,
  CardPayment,
  Customer,
  Order,
  OrderLine,
  OrderStatus,
  Payment,
  Product,
  Profile,
  Tag,
} from './shop-entities';
import { FIRST_NEW_ID, ownersIn, PROFILE_ID, type TwoShops, twoShops } from './two-shops';

describe.each([1, 3])('Entities saved in a pool of %i', (poolSize) => {
  let shop: TwoShops;

  beforeAll(async () => {
    shop = await twoShops(poolSize);
  });
  afterAll(() => shop.close());
  beforeEach(() => shop.reset());
  afterEach(async () => expect(await shop.strays()).toEqual([]));

  /** The same rows, apart from their labels, are in both schemas. */
  async function expectOutside(sql: string, rows: (slug: string) => unknown): Promise<void> {
    for (const slug of ['acme', 'globex']) {
      await expect(shop.outside(slug, sql)).resolves.toEqual(rows(slug));
    }
  }

  it('go with all that cascades from them into the tenant’s schema', async () => {
    await shop.forBoth(async (slug) => {
      const order = shop.repository(Order).create({
        label: `${slug} new order`,
        status: OrderStatus.Paid,
        cents: 12_345,
        notes: [slug, `"quoted"`],
        lines: [{ label: `${slug} new line` }, { label: `${slug} newer line`, quantity: 5 }],
      });
      order.tags = Promise.resolve([shop.repository(Tag).create({ label: `${slug} new tag` })]);
      const saved = await shop.repository(Customer).save({
        label: `${slug} new customer`,
        address: { street: `${slug} avenue` },
        profile: { label: `${slug} new profile`, preferences: { theme: slug } },
        orders: [order],
      });
      expect(saved).toMatchObject({
        id: FIRST_NEW_ID,
        owner: slug,
        profile: { owner: slug, id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
        orders: [
          {
            id: FIRST_NEW_ID,
            owner: slug,
            version: 1,
            shout: `${slug.toUpperCase()} NEW ORDER`,
            insertedBy: `${slug} new order`,
            createdAt: expect.any(Date),
            updatedAt: expect.any(Date),
            deletedAt: null,
          },
        ],
      });
    });
    await expectOutside(
      `SELECT c.label AS customer, p.preferences, o.label AS purchase, o.status, o.cents, o.notes, l.label AS line,
              l.quantity, t.label AS tag
       FROM {schema}.customer c JOIN {schema}.profile p ON p."customerId" = c.id
       JOIN {schema}."order" o ON o."customerId" = c.id JOIN {schema}.order_line l ON l."orderId" = o.id
       JOIN {schema}.order_tag ot ON ot."orderId" = o.id JOIN {schema}.tag t ON t.id = ot."tagId"
       WHERE c.id = ${FIRST_NEW_ID} ORDER BY l.id`,
      (slug) =>
        [
          [`${slug} new line`, 1],
          [`${slug} newer line`, 5],
        ].map(([line, quantity]) => ({
          customer: `${slug} new customer`,
          preferences: { theme: slug },
          purchase: `${slug} new order`,
          status: 'paid',
          cents: '12345',
          notes: [slug, '"quoted"'],
          line,
          quantity,
          tag: `${slug} new tag`,
        })),
    );
  });

  it('are updated in the tenant’s schema, orphans removed and versions counted', async () => {
    await shop.forBoth(async (slug) => {
      const repository = shop.repository(Order);
      const order = await repository.findOneByOrFail({ id: 1 });
      expect(order.loadedAs).toBe(slug);
      order.notes.push('changed');
      order.lines = [Object.assign(order.lines[0], { quantity: 9 })];
      const saved = await repository.save(order);
      expect(saved.version).toBe(2);
      await expect(repository.save(saved)).resolves.toMatchObject({ version: 2 });
    });
    await expectOutside('SELECT version, notes FROM {schema}."order" WHERE id = 1', (slug) => [
      { version: 2, notes: [slug, 'first', 'changed'] },
    ]);
    await expectOutside('SELECT id, quantity, "orderId" FROM {schema}.order_line ORDER BY id', () => [
      { id: 1, quantity: 9, orderId: 1 },
      { id: 3, quantity: 3, orderId: 2 },
    ]);
  });

  it('by one tenant leave the other’s of the same key alone', async () => {
    await shop.forBoth(async (slug) => {
      if (slug === 'acme') await shop.repository(Customer).save({ id: 1, label: 'acme changed' });
      else await shop.repository(Customer).findOneByOrFail({ id: 1 });
    });
    await expectOutside('SELECT label FROM {schema}.customer WHERE id = 1', (slug) => [
      { label: slug === 'acme' ? 'acme changed' : 'globex customer 1' },
    ]);
  });

  it('are removed, soft-removed and recovered', async () => {
    await shop.forBoth(async (slug) => {
      const repository = shop.repository(Order);
      const [first, second] = await repository.find({ order: { id: 'ASC' }, loadEagerRelations: false });
      const third = await repository.findOneOrFail({
        where: { id: 3 },
        withDeleted: true,
        loadEagerRelations: false,
      });
      await expect(repository.softRemove(first)).resolves.toMatchObject({
        owner: slug,
        deletedAt: expect.any(Date),
      });
      await expect(repository.recover(third)).resolves.toMatchObject({ owner: slug, deletedAt: null });
      await shop.repository(Payment).delete({ order: { id: 2 } });
      await repository.remove(second);
    });
    await expectOutside('SELECT id, "deletedAt" IS NULL AS here FROM {schema}."order" ORDER BY id', () => [
      { id: 1, here: false },
      { id: 3, here: true },
    ]);
  });

  it('are inserted, updated, upserted and deleted without being loaded', async () => {
    await shop.forBoth(async (slug) => {
      const products = shop.repository(Product);
      const { identifiers } = await products.insert([{ sku: 'glue', label: `${slug} glue` }]);
      expect(identifiers).toEqual([{ id: FIRST_NEW_ID }]);
      await products.update({ sku: 'glue' }, { stock: 7 });
      await products.upsert(
        [
          { sku: 'anvil', label: `${slug} upserted` },
          { sku: 'wire', label: `${slug} wire` },
        ],
        { conflictPaths: ['sku'], skipUpdateIfNoValuesChanged: true },
      );
      await products.increment({ sku: 'rope' }, 'stock', 5);
      await products.decrement({ sku: 'anvil' }, 'stock', 3);
      await shop.repository(OrderLine).delete({ id: 2 });
    });
    await expectOutside('SELECT sku, label, stock FROM {schema}.product ORDER BY sku', (slug) => [
      { sku: 'anvil', label: `${slug} upserted`, stock: 7 },
      { sku: 'glue', label: `${slug} glue`, stock: 7 },
      { sku: 'rope', label: `${slug} rope`, stock: 25 },
      { sku: 'wire', label: `${slug} wire`, stock: 0 },
    ]);
    await expectOutside('SELECT id FROM {schema}.order_line ORDER BY id', () => [{ id: 1 }, { id: 3 }]);
  });

  it('of an inheritance keep their kind', async () => {
    await shop.forBoth(async (slug) => {
      const payment = await shop.repository(CardPayment).save({ label: `${slug} card`, lastDigits: '1111' });
      await expect(shop.repository(Payment).findOneByOrFail({ id: payment.id })).resolves.toEqual(
        expect.objectContaining({ owner: slug, lastDigits: '1111' }),
      );
    });
    await expectOutside(`SELECT kind, "lastDigits" FROM {schema}.payment WHERE id = ${FIRST_NEW_ID}`, () => [
      { kind: 'CardPayment', lastDigits: '1111' },
    ]);
  });

  it('with uuids and documents are found again by them', async () => {
    const id = randomUUID();
    await shop.forBoth(async (slug) => {
      await shop
        .repository(Profile)
        .save({ id, label: `${slug} by id`, preferences: { nested: { of: [slug] } } });
      await expect(shop.repository(Profile).findOneBy({ id })).resolves.toMatchObject({
        owner: slug,
        preferences: { nested: { of: [slug] } },
      });
      await shop.repository(Profile).delete({ id: PROFILE_ID });
    });
    await expectOutside('SELECT id FROM {schema}.profile', () => [{ id }]);
  });

  it('in large numbers go in chunks, in one transaction', async () => {
    await shop.forBoth(async (slug) => {
      const entries = Array.from({ length: 200 }, (_, i) => ({ label: `${slug} entry ${i}` }));
      await shop.repository(AuditEntry).save(entries, { chunk: 30 });
    });
    await expectOutside('SELECT count(*)::int AS n, max(id) AS last FROM {schema}.audit_entry', () => [
      { n: 200, last: FIRST_NEW_ID + 199 },
    ]);
  });

  it('are refused when another has changed them since: the version is the tenant’s own', async () => {
    await shop.outside('acme', 'UPDATE {schema}."order" SET version = 2 WHERE id = 1');
    await shop.forBoth(async (slug) => {
      const found = shop
        .repository(Order)
        .findOne({ where: { id: 1 }, lock: { mode: 'optimistic', version: 1 } });
      if (slug === 'acme') await expect(found).rejects.toThrow(OptimisticLockVersionMismatchError);
      else await expect(found).resolves.toMatchObject({ owner: slug, version: 1 });
    });
  });

  it('of one tenant are not lost when the other’s save fails', async () => {
    const results = await Promise.allSettled(
      [shop.acme, shop.globex].map((tenant) =>
        shop.context.run(tenant, () =>
          shop.repository(Product).save([
            { label: `${tenant.slug} nail`, sku: 'nail' },
            { label: `${tenant.slug} more`, sku: tenant.slug === 'acme' ? 'nail' : 'screw' },
          ]),
        ),
      ),
    );
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    await expectOutside('SELECT sku FROM {schema}.product WHERE id > 100 ORDER BY sku', (slug) =>
      slug === 'acme' ? [] : [{ sku: 'nail' }, { sku: 'screw' }],
    );
  });

  it('are read back after clear()', async () => {
    await shop.forBoth(async (slug) => {
      await shop.repository(AuditEntry).save({ label: `${slug} entry` });
      if (slug === 'acme') await shop.repository(AuditEntry).clear();
    });
    await shop.forBoth(async (slug) => {
      const left = await shop.repository(AuditEntry).find();
      expect(ownersIn(left)).toEqual(slug === 'acme' ? [] : ['globex']);
    });
  });
});
