import { twoTenants, type TwoTenants } from '../../support/two-tenants';

const MISSING = { code: 'TENANT_SCHEMA_MISSING' };

describe('Code that runs for nobody', () => {
  let world: TwoTenants;

  beforeAll(async () => {
    world = await twoTenants(2);
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset();
    world.wire.reset();
  });

  it.each<[string, (world: TwoTenants) => unknown]>([
    ['a statement', ({ dataSource }) => dataSource.query('SELECT * FROM note')],
    ['a transaction', ({ dataSource }) => dataSource.transaction(() => Promise.resolve())],
    ['a query runner', ({ dataSource }) => dataSource.createQueryRunner().connect()],
    ['the pool', ({ pool }) => pool.connect()],
    ['a statement of the pool', ({ pool }) => pool.query('SELECT * FROM note')],
  ])('is refused %s before anything is sent', async (_what, attempt) => {
    await expect(attempt(world)).rejects.toMatchObject({ code: 'TENANT_REQUIRED', statusCode: 500 });
    expect(world.wire.messages).toEqual([]);
  });

  it('is refused again after a tenant’s work has ended', async () => {
    await world.query(world.acme, 'SELECT * FROM note');
    await expect(world.dataSource.query('SELECT * FROM note')).rejects.toMatchObject({
      code: 'TENANT_REQUIRED',
    });
  });

  it('finds no tenant’s table as the system', async () => {
    await world.query(world.acme, 'SELECT * FROM note');
    await expect(
      world.context.runAsSystem(() => world.dataSource.query('SELECT * FROM note')),
    ).rejects.toMatchObject({
      code: '42P01',
    });
  });

  it('gets an error for a tenant whose schema is gone, not another’s rows', async () => {
    const gone = { ...world.acme, id: 'gone', schemaName: 't_gone' };
    await expect(world.query(gone, 'SELECT * FROM note')).rejects.toMatchObject(MISSING);
  });

  it.each(['t_a"; DROP SCHEMA t_globex CASCADE; --', "t_a', 't_globex", 't_é', 'T_Acme', 'public, t_globex'])(
    'a schema name is a name, whatever it holds: %s',
    async (schemaName) => {
      const hostile = { ...world.acme, id: 'hostile', schemaName };
      await expect(world.query(hostile, 'SELECT * FROM note')).rejects.toMatchObject(MISSING);
      await expect(
        world.context.run(hostile, () =>
          world.dataSource.transaction((manager) => manager.query('SELECT * FROM note')),
        ),
      ).rejects.toMatchObject(MISSING);
      await expect(world.query(world.globex, 'SELECT owner FROM note')).resolves.toEqual([
        { owner: 'globex' },
      ]);
    },
  );

  it.each(['', 'a\0b', 'x'.repeat(64)])(
    'a name that PostgreSQL cannot hold is refused: %.10j',
    async (schemaName) => {
      const bad = { ...world.acme, id: 'bad', schemaName };
      await expect(world.query(bad, 'SELECT * FROM note')).rejects.toThrow(RangeError);
      expect(world.wire.messages).toEqual([]);
    },
  );

  it('cannot be made to see a temporary table that another tenant left behind', async () => {
    // EXECUTE hides the statement from whoever reads its text, so the connection is kept.
    await world.query(
      world.acme,
      `DO $$ BEGIN EXECUTE 'CREATE ' || 'TEMP' || 'ORARY TABLE note AS SELECT 1 AS id, ''leaked'' AS owner'; END $$`,
    );
    for (let i = 0; i < 4; i++) {
      await expect(world.query(world.globex, 'SELECT owner FROM note')).resolves.toEqual([
        { owner: 'globex' },
      ]);
    }
  });
});
