import type { WireConnection } from '../../../lib/connection/protocol/pg-internals';
import { behindPooler } from '../../support/database';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

describe('What a tenant costs on the wire', () => {
  let world: TwoTenants;

  beforeAll(async () => {
    world = await twoTenants(1);
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.reset();
    await world.query(world.acme, 'SELECT 1');
    world.wire.reset();
  });

  it.each([
    ['with parameters', 'SELECT owner FROM note WHERE id = $1', [1]],
    ['without parameters', 'SELECT owner FROM note', undefined],
    ['with a semicolon at its end', 'SELECT owner FROM note;', undefined],
  ])('a statement %s takes one round trip', async (_kind, sql, parameters) => {
    await expect(world.query(world.acme, sql, parameters)).resolves.toEqual([{ owner: 'acme' }]);
    expect(world.wire.roundTrips).toBe(1);
  });

  const riding = behindPooler
    ? 'a pooler’s session may be another’s next, so the rider goes without a name'
    : 'a connection parses the rider once, and then sends it by name';
  it(riding, async () => {
    await world.query(world.acme, 'SELECT owner FROM note WHERE id = $1', [1]);
    expect(world.wire.messages.join('')).toBe(behindPooler ? 'PBEPBEPBDES' : 'BEBEPBDES');
  });

  it('all messages of a statement leave in one piece', async () => {
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      const { stream } = (client as unknown as { connection: WireConnection }).connection;
      const write = jest.spyOn(stream, 'write');
      await client.query('SELECT owner FROM note WHERE id = $1', [1]);
      expect(write).toHaveBeenCalledTimes(1);
      write.mockRestore();
      client.release();
    });
  });

  it('a rider goes without a name from when the session has forgotten it', async () => {
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      await client.query('DISCARD ALL').catch(() => undefined);
      await client.query('DEALLOCATE ALL');
      await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
        rows: [{ owner: 'acme' }],
      });
      world.wire.reset();
      await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
        rows: [{ owner: 'acme' }],
      });
      // A lease looks at its session once, a pooler's client each time.
      expect(world.wire.messages.join('')).toBe(behindPooler ? 'PBEPBEPBDES' : 'PBEPBDES');
      client.release();
    });
  });

  it('several statements in one text take one round trip', async () => {
    await world.query(world.acme, 'UPDATE note SET id = 2; DELETE FROM note WHERE id = 1');
    expect(world.wire.roundTrips).toBe(1);
  });

  it('a statement takes one round trip too when the connection served another tenant before', async () => {
    await world.query(world.globex, 'SELECT owner FROM note');
    await expect(world.query(world.acme, 'SELECT owner FROM note')).resolves.toEqual([{ owner: 'acme' }]);
    expect(world.wire.roundTrips).toBe(2);
  });

  it('a transaction of n statements takes n + 2, as it does without tenants', async () => {
    await world.context.run(world.acme, () =>
      world.dataSource.transaction(async (manager) => {
        await manager.query('INSERT INTO note (id) VALUES ($1)', [2]);
        await manager.query('SELECT owner FROM note');
      }),
    );
    expect(world.wire.roundTrips).toBe(4);
  });

  it('inside a transaction a statement is sent as pg itself would send it, but for a look at the schema with the first', async () => {
    await world.context.run(world.acme, () =>
      world.dataSource.transaction(async (manager) => {
        world.wire.reset();
        for (let i = 0; i < 3; i++) await manager.query('SELECT owner FROM note WHERE id = $1', [1]);
      }),
    );
    expect(world.wire.messages.join('')).toBe('PBEPBDESPBDESPBDESQ');
  });
});
