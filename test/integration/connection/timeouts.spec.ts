import { inspect } from 'node:util';
import type { QueryFailedError } from 'typeorm';
import type { Tenant } from '../../../lib/registry/tenant';
import type { TenantTimeoutsOption } from '../../../lib/connection/pool/tenant-timeouts';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

describe('Timeouts of a tenant', () => {
  let world: TwoTenants;
  const open = async (timeouts: TenantTimeoutsOption, size = 2) => {
    world = await twoTenants(size, {}, { timeouts });
  };
  /** What TypeORM wraps, which is what a request is answered with. */
  const failure = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: QueryFailedError) => error.driverError as unknown,
    );
  const setting = (name: string, tenant: Tenant = world.acme) =>
    world
      .query<{ value: string }[]>(tenant, `SELECT current_setting('${name}') AS value`)
      .then(([{ value }]) => value);
  const inTransaction = <T>(work: (query: (sql: string) => Promise<T>) => Promise<T>) =>
    world.context.run(world.acme, () =>
      world.dataSource.transaction((manager) => work((sql) => manager.query(sql))),
    );

  afterEach(() => world.close());

  it('ride with its statements, and are nowhere else', async () => {
    await open({ statementTimeoutMs: 5_000, lockTimeoutMs: 1_000, idleInTransactionTimeoutMs: 60_000 });
    await expect(setting('statement_timeout')).resolves.toBe('5s');
    await expect(setting('lock_timeout')).resolves.toBe('1s');
    await expect(setting('idle_in_transaction_session_timeout')).resolves.toBe('1min');
    const others = [
      () => world.context.runAsSystem(() => world.dataSource.query('SHOW statement_timeout')),
      () => world.context.runInSchema('t_acme', () => world.dataSource.query('SHOW statement_timeout')),
      () => world.context.runUnlimited(world.acme, () => world.dataSource.query('SHOW statement_timeout')),
    ];
    for (const work of others) await expect(work()).resolves.toEqual([{ statement_timeout: '0' }]);
  });

  it('differ by tenant when a function says them', async () => {
    await open(({ slug }) => (slug === 'acme' ? { statementTimeoutMs: 1_000 } : {}));
    await expect(setting('statement_timeout')).resolves.toBe('1s');
    await expect(setting('statement_timeout', world.globex)).resolves.toBe('0');
  });

  it('may be widened inside one transaction', async () => {
    await open({ statementTimeoutMs: 500 });
    await inTransaction(async (query) => {
      await query('SET LOCAL statement_timeout = 0');
      await query('SELECT pg_sleep(0.6)');
    });
    await expect(setting('statement_timeout')).resolves.toBe('500ms');
  });

  it.each([-1, 1.5, NaN, '5s', 2 ** 31])('that PostgreSQL would not take are refused: %p', async (ms) => {
    await open(() => ({ statementTimeoutMs: ms as number }));
    const refused = expect(world.query(world.acme, 'SELECT 1')).rejects;
    await refused.toThrow(`database.timeouts gave statementTimeoutMs = ${inspect(ms)} for "acme"`);
    expect(world.pool.leases.size).toBe(0);
  });

  it('whose function fails, fail the query with its error', async () => {
    await open(() => {
      throw new Error('no plan');
    });
    await expect(world.query(world.acme, 'SELECT 1')).rejects.toThrow('no plan');
  });

  describe('that are hit', () => {
    const SLOW = 'SELECT pg_sleep(60)';

    it.each([
      ['a statement', () => world.query(world.acme, SLOW)],
      ['one of several in a text', () => world.query(world.acme, `SELECT 1; ${SLOW}`)],
      ['one in a transaction', () => inTransaction((query) => query(SLOW))],
    ])('are a STATEMENT_TIMEOUT of %s, and leave the connection as it was', async (_case, work) => {
      await open({ statementTimeoutMs: 100 });
      await expect(failure(work())).resolves.toMatchObject({
        code: 'STATEMENT_TIMEOUT',
        statusCode: 504,
        limitMs: 100,
        cause: { code: '57014' },
      });
      expect(world.pool.destroyedByCause).toEqual({});
    });

    it('are not taken for a cancellation by hand', async () => {
      await open({ statementTimeoutMs: 60_000 });
      const failed = failure(world.query(world.acme, `${SLOW} /* by hand */`));
      for (;;) {
        const cancelled = await world.database.query(
          `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
            WHERE query LIKE '%by hand%' AND state = 'active' AND pid <> pg_backend_pid()`,
        );
        if (cancelled.length > 0) break;
      }
      await expect(failed).resolves.toMatchObject({ code: '57014' });
    });

    it('are a LOCK_TIMEOUT of who waits for a lock, and not of who would not wait', async () => {
      await open({ lockTimeoutMs: 100 });
      await world.context.run(world.acme, () =>
        world.dataSource.transaction(async (manager) => {
          await manager.query('SELECT * FROM note FOR UPDATE');
          await expect(
            failure(world.query(world.acme, 'SELECT * FROM note FOR UPDATE')),
          ).resolves.toMatchObject({
            code: 'LOCK_TIMEOUT',
            statusCode: 503,
            headers: { 'Retry-After': '1' },
          });
          await expect(
            failure(world.query(world.acme, 'SELECT * FROM note FOR UPDATE NOWAIT')),
          ).resolves.toMatchObject({ code: '55P03' });
        }),
      );
    });

    it('are TRANSACTION_IDLE for a transaction in which nothing was sent, and its connection is not lent again', async () => {
      await open({ idleInTransactionTimeoutMs: 50 }, 1);
      const work = inTransaction(async (query) => {
        const [{ pid }] = (await query('SELECT pg_backend_pid() AS pid')) as [{ pid: number }];
        await query("INSERT INTO note VALUES (2, 'acme')");
        while (
          (await world.database.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid])).length > 0
        );
        return query('SELECT 1');
      });
      await expect(failure(work)).resolves.toMatchObject({ code: 'TRANSACTION_IDLE', statusCode: 500 });
      expect(world.pool.destroyedByCause).toEqual({ 'idle transaction': 1 });
      await expect(world.query(world.acme, 'SELECT id FROM note')).resolves.toEqual([{ id: 1 }]);
    });

    it('are TRANSACTION_IDLE for one that only wants to commit', async () => {
      await open({ idleInTransactionTimeoutMs: 50 }, 1);
      const work = inTransaction(async (query) => {
        const [{ pid }] = (await query('SELECT pg_backend_pid() AS pid')) as [{ pid: number }];
        while (
          (await world.database.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid])).length > 0
        );
      });
      await expect(failure(work)).resolves.toMatchObject({ code: 'TRANSACTION_IDLE' });
    });
  });
});
