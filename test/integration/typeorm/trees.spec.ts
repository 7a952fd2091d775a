import type { ObjectType } from 'typeorm';
import { Category, Folder, Region } from './shop-entities';
import { ownersIn, type TwoShops, twoShops } from './two-shops';

type Node = Folder | Category | Region;

describe.each([1, 3])('Tree entities in a pool of %i', (poolSize) => {
  let shop: TwoShops;

  beforeAll(async () => {
    shop = await twoShops(poolSize);
  });
  afterAll(() => shop.close());
  beforeEach(() => shop.reset());
  afterEach(async () => expect(await shop.strays()).toEqual([]));

  /**
   * 1 with 2 and 3, and 4 under 2. One tenant's tree has a 5 under 4 besides.
   */
  async function plant(entity: ObjectType<Node>, slug: string): Promise<void> {
    const tree = shop.dataSource.getTreeRepository(entity);
    const grow = (id: number, parent: Node | null) => tree.save({ id, label: `${slug} node ${id}`, parent });
    const root = await grow(1, null);
    const second = await grow(2, root);
    await grow(3, root);
    const fourth = await grow(4, second);
    if (slug === 'globex') await grow(5, fourth);
  }

  const ids = (nodes: Node[]) => nodes.map(({ id }) => id).sort();

  it.each([
    ['materialized path', Folder],
    ['closure table', Category],
    ['nested set', Region],
  ] as const)('of the kind %s grow, and are climbed up and down', async (_kind, entity) => {
    await shop.forBoth((slug) => plant(entity, slug));
    await shop.forBothOften(async (slug) => {
      const tree = shop.dataSource.getTreeRepository<Node>(entity);
      const isGlobex = slug === 'globex';
      const second = await tree.findOneByOrFail({ id: 2 });
      const fourth = await tree.findOneByOrFail({ id: 4 });

      const whole = await tree.findTrees();
      expect(whole).toMatchObject([{ id: 1 }]);
      expect(whole[0].children.find(({ id }) => id === 2)).toMatchObject({
        children: [{ id: 4, children: isGlobex ? [{ id: 5 }] : [] }],
      });
      const descendants = await tree.findDescendants(second);
      expect(ids(descendants)).toEqual(isGlobex ? [2, 4, 5] : [2, 4]);
      const ancestors = await tree.findAncestors(fourth);
      expect(ids(ancestors)).toEqual([1, 2, 4]);
      expect(ownersIn([whole, descendants, ancestors, await tree.findRoots()])).toEqual([slug]);
      expect(ownersIn(await tree.findAncestorsTree(fourth))).toEqual([slug]);
      expect(ownersIn(await tree.findDescendantsTree(second))).toEqual([slug]);
      await expect(tree.countDescendants(second)).resolves.toBe(isGlobex ? 3 : 2);
      await expect(tree.countAncestors(fourth)).resolves.toBe(3);
    });
  });

  it.each([
    ['materialized path', Folder],
    ['closure table', Category],
  ] as const)('of the kind %s are moved in one tenant alone', async (_kind, entity) => {
    await shop.forBoth((slug) => plant(entity, slug));
    await shop.forBoth(async (slug) => {
      if (slug === 'globex') return;
      const tree = shop.dataSource.getTreeRepository<Node>(entity);
      const [third, fourth] = [await tree.findOneByOrFail({ id: 3 }), await tree.findOneByOrFail({ id: 4 })];
      fourth.parent = third;
      await tree.save(fourth);
    });
    await shop.forBoth(async (slug) => {
      const tree = shop.dataSource.getTreeRepository<Node>(entity);
      const second = await tree.findOneByOrFail({ id: 2 });
      expect(ids(await tree.findDescendants(second))).toEqual(slug === 'acme' ? [2] : [2, 4, 5]);
    });
  });

  it.each([
    ['materialized path', Folder, 'folder'],
    ['closure table', Category, 'category'],
    ['nested set', Region, 'region'],
  ] as const)('of the kind %s are felled in one tenant alone', async (_kind, entity, table) => {
    await shop.forBoth((slug) => plant(entity, slug));
    await shop.forBoth(async (slug) => {
      const tree = shop.dataSource.getTreeRepository<Node>(entity);
      const fourth = await tree.findOneByOrFail({ id: 4 });
      if (slug === 'acme') await tree.remove(fourth);
      else await tree.findAncestors(fourth);
    });
    const left = async (slug: string) =>
      (await shop.outside<{ id: number }>(slug, `SELECT id FROM {schema}.${table} ORDER BY id`)).map(
        ({ id }) => id,
      );
    await expect(left('acme')).resolves.toEqual([1, 2, 3]);
    await expect(left('globex')).resolves.toEqual([1, 2, 3, 4, 5]);
  });
});
