import { twoTenants, type TwoTenants } from '../../support/two-tenants';

describe('PostgreSQL’s name for the application', () => {
  let world: TwoTenants;

  beforeAll(async () => {
    world = await twoTenants(
      1,
      { applicationName: 'shop' },
      {
        applicationNameOf: ({ slug }) => `${slug}/shop`,
      },
    );
  });
  afterAll(() => world.close());

  const NAME = `SELECT current_setting('application_name') AS name`;
  const own = () => world.context.runAsSystem(() => world.dataSource.query<{ name: string }[]>(NAME));

  it('tells whose statement it runs, and of nobody when that is over', async () => {
    for (const tenant of [world.acme, world.globex]) {
      await expect(world.query(tenant, NAME)).resolves.toEqual([{ name: `${tenant.slug}/shop` }]);
      await expect(world.query(tenant, `${NAME} WHERE 1 = $1`, [1])).resolves.toEqual([
        { name: `${tenant.slug}/shop` },
      ]);
    }
    expect(await own()).not.toEqual([{ name: expect.stringContaining('/') }]);
  });

  it('holds for several statements in one text, and for a transaction', async () => {
    await world.query(
      world.acme,
      `SELECT 1; DO $$ BEGIN ASSERT current_setting('application_name') = 'acme/shop'; END $$`,
    );
    await world.context.run(world.acme, () =>
      world.dataSource.transaction(async (manager) => {
        await manager.query('SELECT 1');
        expect(await manager.query(NAME)).toEqual([{ name: 'acme/shop' }]);
      }),
    );
    await expect(world.query(world.globex, NAME)).resolves.toEqual([{ name: 'globex/shop' }]);
  });

  it('is what others see of the session meanwhile', async () => {
    const slow = world.query(world.acme, 'SELECT pg_sleep(1)');
    const seen = () =>
      world.database.query(
        `SELECT 1 FROM pg_stat_activity WHERE application_name = 'acme/shop' AND datname = current_database()`,
      );
    while ((await seen()).length === 0);
    await slow;
    await expect(seen()).resolves.toEqual([]);
  });
});
