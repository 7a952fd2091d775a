import { twoTenants, type TwoTenants } from '../../support/two-tenants';

describe('A tenant’s transaction', () => {
  let world: TwoTenants;

  beforeAll(async () => {
    world = await twoTenants(2);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  it.each(['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const)(
    'runs at %s',
    async (level) => {
      const rows = await world.context.run(world.acme, () =>
        world.dataSource.transaction(level, async (manager) => {
          await manager.query('INSERT INTO note (id) VALUES (2)');
          return manager.query(
            `SELECT owner, current_setting('transaction_isolation') AS level FROM note WHERE id = 2`,
          );
        }),
      );
      expect(rows).toEqual([{ owner: 'acme', level: level.toLowerCase() }]);
    },
  );

  it.each([
    'BEGIN',
    'begin;',
    '  START TRANSACTION  ',
    'BEGIN ISOLATION LEVEL SERIALIZABLE, READ WRITE, NOT DEFERRABLE',
    'START TRANSACTION ISOLATION LEVEL REPEATABLE READ;',
    '/* hello */ BEGIN',
    'BEGIN -- hello',
    'BEGIN; INSERT INTO note (id) VALUES (9); SELECT 1',
  ])('begins with %s, and gives what pg gives', async (begin) => {
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      const results = [await client.query(begin)].flat();
      expect(results[0].command).toMatch(/BEGIN|START/);
      expect(results).toHaveLength(begin.includes('INSERT') ? 3 : 1);
      await expect(client.query('SELECT owner FROM note WHERE id = 1')).resolves.toMatchObject({
        rows: [{ owner: 'acme' }],
      });
      await client.query('ROLLBACK');
      client.release();
    });
  });

  it.each([
    ['COMMIT; SELECT owner FROM note', false],
    ['COMMIT; SELECT owner FROM note', true],
    ['ROLLBACK; SELECT owner FROM note; COMMIT', true],
    ['SELECT 1; BEGIN; SELECT owner FROM note; END; SELECT owner FROM note', false],
    ["SELECT ';', E'\\';', $x$;COMMIT;$x$ /* ; */ -- ;\n; COMMIT /* */ ; SELECT owner FROM note", true],
  ])('keeps its tenant on both sides of a transaction’s end in one text: %j', async (text, inTransaction) => {
    for (const tenant of [world.acme, world.globex]) {
      await world.context.run(tenant, async () => {
        const client = await world.pool.connect();
        if (inTransaction) await client.query('BEGIN');
        const results = (await client.query(text)) as unknown as {
          command: string;
          rows: Record<string, unknown>[];
        }[];
        expect(results).toHaveLength(
          text.includes('E') && text.startsWith('SELECT ') ? (inTransaction ? 3 : 5) : text.split(';').length,
        );
        const owners = results.flatMap(({ rows }) => rows.flatMap(({ owner }) => owner ?? []));
        expect(new Set(owners)).toEqual(new Set([tenant.slug]));
        client.release();
      });
    }
    expect(world.pool.destroyedByCause).toEqual({});
  });

  it('keeps its tenant through COMMIT AND CHAIN', async () => {
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      await client.query('BEGIN');
      await expect(client.query('COMMIT WORK\n  AND CHAIN')).resolves.toMatchObject({ command: 'COMMIT' });
      await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
        rows: [{ owner: 'acme' }],
      });
      await client.query('ROLLBACK AND CHAIN;');
      await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
        rows: [{ owner: 'acme' }],
      });
      await client.query('COMMIT AND NO CHAIN');
      client.release();
    });
    expect(world.pool.destroyedByCause).toEqual({});
  });

  it('keeps its tenant through savepoints, errors and ROLLBACK TO', async () => {
    await world.context.run(world.acme, () =>
      world.dataSource.transaction(async (outer) => {
        await outer.query('INSERT INTO note (id) VALUES (2)');
        await expect(
          outer.transaction(async (inner) => {
            await inner.query('INSERT INTO note (id) VALUES (3)');
            await inner.query('SELECT 1/0');
          }),
        ).rejects.toMatchObject({ code: '22012' });
        await expect(outer.query('SELECT id, owner FROM note ORDER BY id')).resolves.toEqual([
          { id: 1, owner: 'acme' },
          { id: 2, owner: 'acme' },
        ]);
      }),
    );
    await expect(world.query(world.globex, 'SELECT id FROM note')).resolves.toEqual([{ id: 1 }]);
  });

  it('is rolled back when its work fails', async () => {
    const work = world.context.run(world.acme, () =>
      world.dataSource.transaction(async (manager) => {
        await manager.query('INSERT INTO note (id) VALUES (2)');
        throw new Error('no');
      }),
    );
    await expect(work).rejects.toThrow('no');
    await expect(world.query(world.acme, 'SELECT id FROM note')).resolves.toEqual([{ id: 1 }]);
  });

  it('leaves nothing to the next borrower of its connection', async () => {
    const one = await twoTenants(1);
    try {
      await one.context.run(one.acme, () =>
        one.dataSource.transaction((manager) => manager.query('SELECT * FROM note')),
      );
      await expect(one.query(one.globex, 'SELECT owner FROM note')).resolves.toEqual([{ owner: 'globex' }]);
      expect(one.pool.totalCount).toBe(1);
    } finally {
      await one.close();
    }
  });

  it('of one tenant does not carry another’s work that runs inside it: that has its own connection', async () => {
    await world.context.run(world.acme, () =>
      world.dataSource.transaction(async (manager) => {
        await manager.query('INSERT INTO note (id) VALUES (2)');
        const inner = await world.context.run(world.globex, () =>
          world.dataSource.query('SELECT owner FROM note'),
        );
        expect(inner).toEqual([{ owner: 'globex' }]);
        await expect(world.context.run(world.globex, () => manager.query('SELECT 1'))).rejects.toMatchObject({
          code: 'TENANT_CONTEXT_MISMATCH',
        });
      }),
    );
    await expect(world.query(world.acme, 'SELECT count(*)::int AS n FROM note')).resolves.toEqual([{ n: 2 }]);
  });
});
