import { AsyncResource } from 'node:async_hooks';
import { TenantTransactions } from '../../../lib/connection/tenant-transactions';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

/** Run inside a pool of one: whoever does not join would wait for ever. */
describe('A shared transaction', () => {
  let world: TwoTenants;
  let transactions: TenantTransactions;

  beforeAll(async () => {
    world = await twoTenants(1, { connectTimeoutMS: 500 });
    transactions = new TenantTransactions(world.dataSource, world.context);
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());

  const run = <T>(work: () => Promise<T>, options = {}) =>
    world.context.run(world.acme, () => transactions.run(work, options));
  const insert = (id: number) => world.dataSource.query('INSERT INTO note (id) VALUES ($1)', [id]);
  const ids = async () => {
    const rows = await world.query<{ id: number }[]>(world.acme, 'SELECT id FROM note ORDER BY id');
    return rows.map(({ id }) => id);
  };

  it('is one for all that is run in it, and is kept when it ends well', async () => {
    const transactionIds = await run(async () => {
      await insert(2);
      const [first] = await world.dataSource.query('SELECT pg_current_xact_id()::text AS id');
      const second = await world.dataSource.transaction(async (manager) => {
        await manager.query('INSERT INTO note (id) VALUES (3)');
        return (await manager.query('SELECT pg_current_xact_id()::text AS id'))[0];
      });
      return [first, second];
    });
    expect(transactionIds[0]).toEqual(transactionIds[1]);
    await expect(ids()).resolves.toEqual([1, 2, 3]);
    expect(world.pool.destroyedByCause).toEqual({});
  });

  it('keeps nothing when the work fails', async () => {
    await expect(
      run(async () => {
        await insert(2);
        await world.dataSource.transaction((manager) => manager.query('INSERT INTO note (id) VALUES (3)'));
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await expect(ids()).resolves.toEqual([1]);
  });

  it('takes statements that are sent side by side', async () => {
    await run(() => Promise.all([2, 3, 4, 5].map(insert)));
    await expect(ids()).resolves.toEqual([1, 2, 3, 4, 5]);
  });

  it('keeps nothing when a part was rolled back, though the work goes on and ends well', async () => {
    const work = run(async () => {
      await insert(2);
      await world.dataSource
        .transaction(async (manager) => {
          await manager.query('INSERT INTO note (id) VALUES (3)');
          throw new Error('only this part');
        })
        .catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_DOOMED' });
    await expect(ids()).resolves.toEqual([1]);
  });

  it('refuses statements after a part was rolled back', async () => {
    const work = run(async () => {
      await world.dataSource.transaction(() => Promise.reject(new Error('part'))).catch(() => undefined);
      await insert(4);
    });
    await expect(work).rejects.toMatchObject({ driverError: { code: 'TRANSACTION_DOOMED' } });
    await expect(ids()).resolves.toEqual([1]);
  });

  it('says so when a failed statement was swallowed: its COMMIT would be a silent ROLLBACK', async () => {
    const work = run(async () => {
      await insert(2);
      await insert(2).catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_DOOMED' });
    await expect(ids()).resolves.toEqual([1]);
  });

  it.each(['ROLLBACK; SELECT 1', 'SELECT 1; COMMIT', 'COMMIT AND CHAIN', "PREPARE TRANSACTION 'x'"])(
    'cannot be ended by a part: %s is refused before it is sent',
    async (text) => {
      await run(async () => {
        await insert(2);
        await expect(world.dataSource.query(text)).rejects.toMatchObject({
          driverError: { code: 'TRANSACTION_COMMAND_REFUSED' },
        });
      });
      await expect(ids()).resolves.toEqual([1, 2]);
    },
  );

  it.each(['/* x */ COMMIT', '-- x\nEND'])('is not ended by %j: its end is its own', async (text) => {
    await expect(
      run(async () => {
        await insert(2);
        await world.dataSource.query(text);
        throw new Error('late');
      }),
    ).rejects.toThrow('late');
    await expect(ids()).resolves.toEqual([1]);
  });

  it('is doomed by a ROLLBACK behind a comment', async () => {
    const work = run(() => insert(2).then(() => world.dataSource.query('-- x\nROLLBACK')));
    await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_DOOMED' });
    await expect(ids()).resolves.toEqual([1]);
  });

  it('runs at the level that was asked for, and inner ones may ask for the same', async () => {
    await run(
      async () => {
        await world.dataSource.query('SELECT 1');
        await world.dataSource.transaction('SERIALIZABLE', async (manager) => {
          const [{ level }] = await manager.query(`SELECT current_setting('transaction_isolation') AS level`);
          expect(level).toBe('serializable');
        });
      },
      { isolation: 'SERIALIZABLE' },
    );
    await expect(
      run(() =>
        world.dataSource
          .query('SELECT 1')
          .then(() => world.dataSource.transaction('SERIALIZABLE', () => Promise.resolve())),
      ),
    ).rejects.toMatchObject({ code: '25001' });
  });

  it('inside another joins it', async () => {
    await expect(
      run(async () => {
        await transactions.run(() => insert(2));
        throw new Error('outer');
      }),
    ).rejects.toThrow('outer');
    await expect(ids()).resolves.toEqual([1]);
  });

  it('is not joined by another tenant’s work inside it', async () => {
    const inner = run(() => world.query(world.globex, 'SELECT 1'));
    // The pool has one connection, and it is the transaction's.
    await expect(inner).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' });
  });

  it('is over for code that runs on after its end', async () => {
    let late!: () => Promise<unknown>;
    await run(async () => {
      late = AsyncResource.bind(() => insert(9));
      await insert(2);
    });
    await late();
    await expect(ids()).resolves.toEqual([1, 2, 9]);
  });

  it('needs a tenant', async () => {
    await expect(transactions.run(() => Promise.resolve())).rejects.toMatchObject({
      code: 'TENANT_REQUIRED',
    });
  });
});
