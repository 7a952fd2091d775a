import { EntityNotFoundError, type QueryRunner } from 'typeorm';
import { AuditEntry, Order, Product, Tag } from './shop-entities';
import { FIRST_NEW_ID, ownersIn, type TwoShops, twoShops } from './two-shops';

describe.each([1, 3])('TypeORM’s transactions in a pool of %i', (poolSize) => {
  let shop: TwoShops;

  beforeAll(async () => {
    shop = await twoShops(poolSize);
  });
  afterAll(() => shop.close());
  beforeEach(() => shop.reset());
  afterEach(async () => {
    expect(await shop.strays()).toEqual([]);
    expect(shop.pool.destroyedByCause).toEqual({});
  });

  async function expectTags(labels: (slug: string) => string[]): Promise<void> {
    for (const slug of ['acme', 'globex']) {
      const rows = await shop.outside<{ label: string }>(
        slug,
        'SELECT label FROM {schema}.tag WHERE id > 100 ORDER BY id',
      );
      expect(rows.map(({ label }) => label)).toEqual(labels(slug));
    }
  }

  it('commit all of a tenant’s work, or none of it', async () => {
    const results = await Promise.allSettled(
      [shop.acme, shop.globex].map((tenant) =>
        shop.context.run(tenant, () =>
          shop.dataSource.transaction(async (manager) => {
            await manager.save(Tag, { label: `${tenant.slug} new` });
            const found = await manager.find(Tag);
            expect([found.length, ownersIn(found)]).toEqual([3, [tenant.slug]]);
            if (tenant.slug === 'acme') await manager.findOneByOrFail(Product, { id: 999 });
          }),
        ),
      ),
    );
    expect(results).toMatchObject([
      { status: 'rejected', reason: expect.any(EntityNotFoundError) },
      { status: 'fulfilled' },
    ]);
    await expectTags((slug) => (slug === 'acme' ? [] : ['globex new']));
  });

  it('nest: an inner one is undone alone', async () => {
    await shop.forBoth((slug) =>
      shop.dataSource.transaction(async (outer) => {
        await outer.save(Tag, { label: `${slug} outer` });
        await expect(
          outer.transaction(async (inner) => {
            await inner.save(Tag, { label: `${slug} undone` });
            await inner.query('SELECT 1 / 0');
          }),
        ).rejects.toThrow('division by zero');
        await outer.transaction('SERIALIZABLE', (inner) => inner.save(Tag, { label: `${slug} inner` }));
        expect(ownersIn(await outer.find(Tag))).toEqual([slug]);
      }),
    );
    await expectTags((slug) => [`${slug} outer`, `${slug} inner`]);
  });

  it('can be led by hand, with savepoints', async () => {
    const work = async (runner: QueryRunner, slug: string) => {
      await runner.startTransaction('REPEATABLE READ');
      await runner.manager.save(Tag, { label: `${slug} one` });
      await runner.startTransaction();
      await runner.manager.save(Tag, { label: `${slug} two` });
      await runner.rollbackTransaction();
      await runner.query('SAVEPOINT mine');
      await runner.manager.getRepository(Tag).insert({ label: `${slug} three` });
      await runner.query('ROLLBACK TO SAVEPOINT mine');
      await runner.manager.getRepository(Tag).insert({ label: `${slug} four` });
      expect(ownersIn(await runner.manager.find(Tag))).toEqual([slug]);
      if (slug === 'acme') await runner.commitTransaction();
      else await runner.rollbackTransaction();
      const after = await runner.query('SELECT owner FROM tag ORDER BY id DESC LIMIT 1');
      expect(after).toEqual([{ owner: slug }]);
    };
    await shop.forBoth(async (slug) => {
      const runner = shop.dataSource.createQueryRunner();
      try {
        await work(runner, slug);
      } finally {
        await runner.release();
      }
    });
    await expectTags((slug) => (slug === 'acme' ? ['acme one', 'acme four'] : []));
  });

  it('of a query runner that is kept stay its tenant’s, whoever comes by between its statements', async () => {
    const runner = shop.dataSource.createQueryRunner();
    const refused = { code: 'TENANT_CONTEXT_MISMATCH' };
    try {
      await shop.context.run(shop.acme, () => runner.startTransaction());
      await shop.context.run(shop.acme, () => runner.manager.save(Tag, { label: 'acme kept' }));
      await expect(shop.context.run(shop.globex, () => runner.manager.find(Tag))).rejects.toMatchObject(
        refused,
      );
      await expect(shop.context.run(shop.globex, () => runner.query('COMMIT'))).rejects.toMatchObject(
        refused,
      );
      await expect(shop.context.runAsSystem(() => runner.query('SELECT 1'))).rejects.toMatchObject(refused);
      if (poolSize > 1) await shop.context.run(shop.globex, () => shop.repository(Tag).find());
      // Where the context was lost, as in an event's listener, it works for whom it was taken.
      expect(ownersIn(await runner.manager.find(Tag))).toEqual(['acme']);
      await shop.context.run(shop.acme, () => runner.commitTransaction());
    } finally {
      await runner.release();
    }
    await expect(shop.context.run(shop.acme, () => runner.query('SELECT 1'))).rejects.toThrow(/released/i);
    await expectTags((slug) => (slug === 'acme' ? ['acme kept'] : []));
  });

  it('carry repositories of the application’s own', async () => {
    const tags = shop.repository(Tag).extend({
      findBySuffix(suffix: string) {
        return this.createQueryBuilder('tag')
          .where('tag.label LIKE :suffix', { suffix: `% ${suffix}` })
          .getMany();
      },
    });
    await shop.forBoth((slug) =>
      shop.dataSource.transaction(async (manager) => {
        const own = manager.withRepository(tags);
        await own.save({ label: `${slug} mine` });
        await expect(own.findBySuffix('mine')).resolves.toMatchObject([{ id: FIRST_NEW_ID, owner: slug }]);
      }),
    );
    await shop.forBothOften(async (slug) =>
      expect(ownersIn(await tags.findBySuffix('mine'))).toEqual([slug]),
    );
  });

  it('lock rows of their tenant only', async () => {
    await shop.forBoth((slug) =>
      shop.dataSource.transaction(async (manager) => {
        const order = await manager.findOneOrFail(Order, {
          where: { id: 1 },
          loadEagerRelations: false,
          lock: { mode: 'pessimistic_write' },
        });
        expect(ownersIn(order)).toEqual([slug]);
        const lines = await manager
          .createQueryBuilder(Order, 'purchase')
          .innerJoinAndSelect('purchase.lines', 'line')
          .setLock('pessimistic_read', undefined, ['line'])
          .getMany();
        expect(ownersIn(lines)).toEqual([slug]);
      }),
    );
  });

  it('are of the level that was asked for', async () => {
    await shop.forBoth(async () => {
      const level = await shop.dataSource.transaction('REPEATABLE READ', (manager) =>
        manager.query(`SELECT current_setting('transaction_isolation') AS level`),
      );
      expect(level).toEqual([{ level: 'repeatable read' }]);
    });
  });
});

describe('While one tenant holds a lock', () => {
  let shop: TwoShops;

  beforeAll(async () => {
    shop = await twoShops(3);
    await shop.reset();
  });
  afterAll(() => shop.close());

  const orders = () =>
    shop.dataSource.manager
      .createQueryBuilder(Order, 'purchase')
      .where('purchase.id = 1')
      .setLock('pessimistic_write');

  it('the other takes the same row, and its own second caller skips it or is refused it', async () => {
    await shop.context.run(shop.acme, () =>
      shop.dataSource.transaction(async (manager) => {
        await manager.findOneOrFail(Order, {
          where: { id: 1 },
          loadEagerRelations: false,
          lock: { mode: 'pessimistic_write' },
        });
        const skipping = () =>
          shop.dataSource.transaction((other) =>
            orders()
              .setQueryRunner(other.queryRunner as QueryRunner)
              .setOnLocked('skip_locked')
              .getMany(),
          );
        const insisting = () =>
          shop.dataSource.transaction((other) =>
            orders()
              .setQueryRunner(other.queryRunner as QueryRunner)
              .setOnLocked('nowait')
              .getMany(),
          );
        await expect(skipping()).resolves.toEqual([]);
        await expect(insisting()).rejects.toMatchObject({ code: '55P03' });
        await shop.context.run(shop.globex, async () => {
          expect(ownersIn(await skipping())).toEqual(['globex']);
          expect(ownersIn(await insisting())).toEqual(['globex']);
        });
      }),
    );
  });

  it('work for the other inside its transaction is not part of it', async () => {
    await shop.context
      .run(shop.acme, () =>
        shop.dataSource.transaction(async (manager) => {
          await manager.save(AuditEntry, { label: 'acme rolled back' });
          await shop.context.run(shop.globex, () =>
            shop.dataSource.transaction((other) => other.save(AuditEntry, { label: 'globex kept' })),
          );
          throw new Error('no');
        }),
      )
      .catch(() => undefined);
    await expect(shop.outside('acme', 'SELECT label FROM {schema}.audit_entry')).resolves.toEqual([]);
    await expect(shop.outside('globex', 'SELECT label FROM {schema}.audit_entry')).resolves.toEqual([
      { label: 'globex kept' },
    ]);
  });

  it('a manager of the one is refused to the other', async () => {
    await shop.context.run(shop.acme, () =>
      shop.dataSource.transaction(async (manager) => {
        const attempt = shop.context.run(shop.globex, () => manager.find(Tag));
        await expect(attempt).rejects.toMatchObject({ code: 'TENANT_CONTEXT_MISMATCH' });
        expect(ownersIn(await manager.find(Tag))).toEqual(['acme']);
      }),
    );
  });
});

describe('The isolationLevel option', () => {
  it.each([1, 3])('holds for every transaction of every tenant, in a pool of %i', async (poolSize) => {
    const shop = await twoShops(poolSize, { isolationLevel: 'SERIALIZABLE' } as never);
    try {
      await shop.reset();
      await shop.forBoth((slug) =>
        shop.dataSource.transaction(async (manager) => {
          const rows = await manager.query(
            `SELECT owner, current_setting('transaction_isolation') AS level FROM tag WHERE id = 1`,
          );
          expect(rows).toEqual([{ owner: slug, level: 'serializable' }]);
          await manager.save(Tag, { label: `${slug} new` });
        }),
      );
      await shop.forBoth((slug) => shop.repository(Tag).save({ label: `${slug} newer` }));
      expect(await shop.strays()).toEqual([]);
    } finally {
      await shop.close();
    }
  });
});
