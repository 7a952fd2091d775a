import { Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { TenantConnection } from '../../../lib/connection/typeorm/tenant-connection';
import { TenantTransactions } from '../../../lib/connection/typeorm/tenant-transactions';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

/** In a pool of one: what is done before the connection is given back would wait for ever. */
describe('What is to be done after a COMMIT', () => {
  let world: TwoTenants;
  let connection: TenantConnection;
  let transactions: TenantTransactions;
  let seen: { ids: number[]; tenant: string | undefined }[];

  beforeAll(async () => {
    world = await twoTenants(1, { connectTimeoutMS: 500 });
    connection = new TenantConnection(world.dataSource, world.context);
    transactions = new TenantTransactions(world.dataSource, world.context);
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    seen = [];
    await world.reset();
  });

  const insert = (id: number, manager: Pick<EntityManager, 'query'> = world.dataSource) =>
    manager.query('INSERT INTO note (id) VALUES ($1)', [id]);
  /** What it finds, on a connection of its own. */
  const look = async () => {
    const rows = await world.dataSource.query<{ id: number }[]>('SELECT id FROM note ORDER BY id');
    seen.push({ ids: rows.map(({ id }) => id), tenant: world.context.find()?.slug });
  };
  const asAcme = <T>(work: () => T) => world.context.run(world.acme, work);

  type Way = (work: (manager: EntityManager) => Promise<unknown>) => Promise<unknown>;
  const WAYS: [string, Way, boolean?][] = [
    ['connection.transaction()', (work) => connection.transaction(work)],
    ['connection.transaction() with a level', (work) => connection.transaction('SERIALIZABLE', work)],
    ['TenantTransactions', (work) => transactions.run(() => work(world.dataSource.manager))],
    ['dataSource.transaction(), by its manager', (work) => world.dataSource.transaction(work), true],
    [
      'a QueryRunner, by its manager',
      async (work) => {
        const queryRunner = world.dataSource.createQueryRunner();
        try {
          await queryRunner.startTransaction();
          await work(queryRunner.manager);
          await queryRunner.commitTransaction();
        } catch (error) {
          await queryRunner.rollbackTransaction();
          throw error;
        } finally {
          await queryRunner.release();
        }
      },
      true,
    ],
  ];

  describe.each(WAYS)('in %s', (_name, transaction, isByManager) => {
    const after = (work: () => unknown, manager: EntityManager) =>
      connection.afterCommit(work, isByManager ? manager : undefined);

    it('sees what was committed, for the tenant, before whoever began it goes on', async () => {
      await asAcme(() =>
        transaction(async (manager) => {
          after(look, manager);
          await insert(2, manager);
          expect(seen).toEqual([]);
        }),
      );
      expect(seen).toEqual([{ ids: [1, 2], tenant: 'acme' }]);
    });

    it('is not done when it is rolled back', async () => {
      const failing = asAcme(() =>
        transaction(async (manager) => {
          after(look, manager);
          await insert(2, manager);
          throw new Error('no');
        }),
      );
      await expect(failing).rejects.toThrow('no');
      expect(seen).toEqual([]);
    });

    it('is not done when COMMIT fails', async () => {
      await world.database.query(
        `ALTER TABLE ${world.acme.schemaName}.note ADD CONSTRAINT late UNIQUE (owner) DEFERRABLE INITIALLY DEFERRED`,
      );
      try {
        const failing = asAcme(() =>
          transaction(async (manager) => {
            after(look, manager);
            await insert(2, manager);
          }),
        );
        await expect(failing).rejects.toMatchObject({ message: expect.stringContaining('late') });
        expect(seen).toEqual([]);
      } finally {
        await world.database.query(`ALTER TABLE ${world.acme.schemaName}.note DROP CONSTRAINT late`);
      }
    });

    it('is done in the order in which it was asked for, and an error of one is logged and keeps none from its turn', async () => {
      const log = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
      const order: number[] = [];
      await asAcme(() =>
        transaction(async (manager) => {
          after(async () => {
            await look();
            order.push(1);
          }, manager);
          after(() => {
            throw new Error('the mail server is down');
          }, manager);
          after(() => order.push(3), manager);
          await insert(2, manager);
        }),
      );
      expect(order).toEqual([1, 3]);
      expect(log.mock.calls).toEqual([
        [
          expect.stringContaining('The COMMIT stands'),
          expect.objectContaining({ message: 'the mail server is down' }),
        ],
      ]);
      log.mockRestore();
    });

    it('is not done when it belongs to a savepoint that is rolled back, and is when that one is kept', async () => {
      const done: string[] = [];
      await asAcme(() =>
        transaction(async (outer) => {
          // An inner one of a shared transaction begins and ends nothing: only one within it is a savepoint.
          await outer.transaction(async (manager) => {
            await insert(2, manager);
            await manager.transaction(async (inner) => {
              after(() => done.push('kept'), inner);
              await insert(3, inner);
            });
            const undone = manager.transaction(async (inner) => {
              after(() => done.push('undone'), inner);
              await insert(4, inner);
              throw new Error('undo');
            });
            await expect(undone).rejects.toThrow('undo');
            after(() => done.push('after it'), manager);
          });
          after(look, outer);
        }),
      );
      expect(done).toEqual(['kept', 'after it']);
      expect(seen).toEqual([{ ids: [1, 2, 3], tenant: 'acme' }]);
    });
  });

  it('is not done when it is undone by SQL of the application', async () => {
    const done: string[] = [];
    const after = (name: string) => connection.afterCommit(() => done.push(name));
    await asAcme(() =>
      connection.transaction(async (manager) => {
        await manager.query('SAVEPOINT before_all');
        after('undone by a savepoint that was there before it');
        await manager.query('ROLLBACK TO SAVEPOINT before_all');
        after('kept');
        await manager.query('savepoint "A b"; SELECT 1');
        after('undone');
        await manager.transaction(async (inner) => {
          after('undone with what is around it');
          await inner.query('SELECT 1');
        });
        await manager.query('SELECT 1; ROLLBACK WORK TO "A b"');
        after('kept, too');
        await manager.query("SELECT 'ROLLBACK'");
      }),
    );
    expect(done.splice(0)).toEqual(['kept', 'kept, too']);
    await asAcme(() =>
      connection.transaction(async (manager) => {
        await insert(2, manager);
        after('undone as a whole');
        await manager.query('ROLLBACK');
      }),
    );
    expect(done).toEqual([]);
  });

  it('waits for the outermost of shared transactions', async () => {
    await asAcme(() =>
      transactions.run(async () => {
        await transactions.run(async () => {
          connection.afterCommit(look);
          await insert(2);
        });
        await connection.transaction(async (manager) => {
          connection.afterCommit(look);
          await insert(3, manager);
        });
        expect(seen).toEqual([]);
        await insert(4);
      }),
    );
    const all = { ids: [1, 2, 3, 4], tenant: 'acme' };
    expect(seen).toEqual([all, all]);
  });

  it('may begin another transaction, and ask for more', async () => {
    await asAcme(() =>
      connection.transaction(async (manager) => {
        await insert(2, manager);
        connection.afterCommit(() =>
          connection.transaction(async (next) => {
            await insert(3, next);
            connection.afterCommit(look);
          }),
        );
      }),
    );
    expect(seen).toEqual([{ ids: [1, 2, 3], tenant: 'acme' }]);
  });

  it('is done at once outside of a transaction, an error of it only logged', async () => {
    const log = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const done: string[] = [];
    asAcme(() => {
      connection.afterCommit(() => done.push('at once'));
      connection.afterCommit(() => Promise.reject(new Error('no')));
    });
    expect(done).toEqual(['at once']);
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toHaveBeenCalledTimes(1);
    log.mockRestore();
  });

  it('of another tenant inside of a transaction is that one’s own affair', async () => {
    await asAcme(() =>
      transactions.run(async () => {
        world.context.run(world.globex, () =>
          connection.afterCommit(() => void seen.push({ ids: [], tenant: world.context.find()?.slug })),
        );
        expect(seen).toEqual([{ ids: [], tenant: 'globex' }]);
        await insert(2);
      }),
    );
  });

  it('is refused to code that runs for nobody', () => {
    expect(() => connection.afterCommit(look)).toThrow(expect.objectContaining({ code: 'TENANT_REQUIRED' }));
  });
});
