import { AuditEntry, Order, Tag } from './shop-entities';
import { ShopSubscriber, type Sighting } from './shop-subscriber';
import { FIRST_NEW_ID, type TwoShops, twoShops } from './two-shops';

describe.each([1, 3])('A subscriber in a pool of %i', (poolSize) => {
  let shop: TwoShops;
  let subscriber: ShopSubscriber;

  beforeAll(async () => {
    shop = await twoShops(poolSize, { subscribers: [ShopSubscriber] });
    subscriber = shop.dataSource.subscribers[0] as ShopSubscriber;
    subscriber.context = shop.context;
  });
  afterAll(() => shop.close());
  beforeEach(async () => {
    await shop.reset();
    subscriber.sightings.splice(0);
  });
  afterEach(async () => {
    expect(await shop.strays()).toEqual([]);
    expect(subscriber.sightings.filter(({ context, owner }) => context !== owner)).toEqual([]);
  });

  const seen = (slug: string) =>
    subscriber.sightings.filter(({ context }: Sighting) => context === slug).map(({ event }) => event);

  it('is called in the context of the tenant whose row it is, and asks that tenant’s database', async () => {
    await shop.forBoth((slug) => shop.repository(Order).save({ label: `${slug} new`, lines: [] }));
    const events = ['before insert', 'after insert', 'after commit', 'after commit'];
    expect([seen('acme'), seen('globex')]).toEqual([events, events]);
    for (const slug of ['acme', 'globex']) {
      await expect(shop.outside(slug, 'SELECT label FROM {schema}.audit_entry')).resolves.toEqual([
        { label: `${slug} new inserted` },
      ]);
    }
  });

  it('sees loads and updates of the tenant’s rows', async () => {
    await shop.forBothOften((slug) =>
      shop.repository(Order).findOneByOrFail({ id: 1, label: `${slug} order 1` }),
    );
    expect([seen('acme'), seen('globex')]).toEqual([Array(3).fill('load'), Array(3).fill('load')]);
    await shop.forBoth((slug) => shop.repository(Order).update({ id: 2 }, { label: `${slug} updated` }));
    expect(seen('acme').slice(3)).toEqual(['after update']);
    expect(seen('globex').slice(3)).toEqual(['after update']);
  });

  it('writes what is undone with the tenant’s transaction', async () => {
    await shop.forBoth((slug) =>
      shop.dataSource
        .transaction(async (manager) => {
          await manager.save(Order, { label: `${slug} new`, lines: [] });
          await expect(manager.countBy(AuditEntry, { label: `${slug} new inserted` })).resolves.toBe(1);
          if (slug === 'acme') throw new Error('no');
        })
        .catch((error: Error) => expect(error.message).toBe('no')),
    );
    await expect(shop.outside('acme', 'SELECT id FROM {schema}.audit_entry')).resolves.toEqual([]);
    await expect(shop.outside('globex', 'SELECT id FROM {schema}.audit_entry')).resolves.toEqual([
      { id: FIRST_NEW_ID },
    ]);
    expect([seen('acme').at(-1), seen('globex').at(-1)]).toEqual(['after insert', 'after commit']);
  });

  it('hears of commits of entities that it does not listen to, for their tenant', async () => {
    await shop.forBoth((slug) => shop.repository(Tag).save({ label: `${slug} new` }));
    expect([seen('acme'), seen('globex')]).toEqual([
      ['after commit', 'after commit'],
      ['after commit', 'after commit'],
    ]);
  });
});
