import { twoTenants, type TwoTenants } from '../support/two-tenants';

/** Fewer connections than callers, the same primary keys everywhere, rows stamped with their tenant. */
describe.each([1, 2, 10])('Two tenants that share a pool of %i', (poolSize) => {
  let world: TwoTenants;

  beforeAll(async () => {
    world = await twoTenants(poolSize);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  it('never see each other in 600 interleaved reads, writes and transactions', async () => {
    const wrong: unknown[] = [];
    const check = (slug: string, rows: { owner: string }[]) => {
      if (rows.length === 0 || rows.some(({ owner }) => owner !== slug)) wrong.push({ slug, rows });
    };
    const select = 'SELECT owner FROM note WHERE id = $1';
    const operations = [
      async () => world.dataSource.query(select, [1]),
      async () => world.dataSource.query('SELECT owner FROM note'),
      async () =>
        (await world.dataSource.query('UPDATE note SET owner = owner WHERE id = 1 RETURNING owner'))[0],
      async () =>
        world.dataSource.transaction(async (manager) => {
          await manager.query('UPDATE note SET owner = owner');
          return manager.query(select, [1]);
        }),
      async () => {
        await world.dataSource.query('SELECT * FROM nowhere').catch(() => undefined);
        return world.dataSource.query(select, [1]);
      },
    ];
    await Promise.all(
      Array.from({ length: 600 }, async (_, i) => {
        const tenant = i % 2 === 0 ? world.acme : world.globex;
        const rows = await world.context.run(tenant, () => operations[i % operations.length]());
        check(tenant.slug, rows);
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('keep their scopes when the one that was opened first ends first', async () => {
    let endFirst!: () => void;
    let endSecond!: () => void;
    const firstMayEnd = new Promise<void>((resolve) => (endFirst = resolve));
    const secondMayEnd = new Promise<void>((resolve) => (endSecond = resolve));
    const owner = async () => (await world.dataSource.query('SELECT owner FROM note'))[0].owner;
    const first = world.context.run(world.acme, async () => {
      await firstMayEnd;
      return owner();
    });
    const second = world.context.run(world.globex, async () => {
      const before = await owner();
      await secondMayEnd;
      return [before, await owner()];
    });
    endFirst();
    await expect(first).resolves.toBe('acme');
    endSecond();
    await expect(second).resolves.toEqual(['globex', 'globex']);
  });
});
