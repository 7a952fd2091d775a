import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { WireConnection } from '../../../lib/connection/protocol/pg-internals';
import { behindPooler } from '../../support/database';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

interface ClientInternals {
  readonly connection: EventEmitter & { readonly stream: Socket };
}

/** Of the channel `a`, without a payload. */
const NOTIFICATION = Buffer.from('A\0\0\0\x0b\0\0\0\x01a\0\0');

describe('What a tenant costs on the wire', () => {
  let world: TwoTenants;
  let is18: boolean;

  beforeAll(async () => {
    world = await twoTenants(1);
    const [{ version }] = await world.database.query<{ version: number }>(
      "SELECT current_setting('server_version_num')::int AS version",
    );
    is18 = version >= 180_000;
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

  it('a first statement empties the session of what functions left, and sets the parameters', async () => {
    // CLOSE ALL, DISCARD TEMP, and where PostgreSQL does not tell us of the path, its reset.
    const emptying = behindPooler || !is18 ? 'PBEPBEPBE' : 'PBEPBE';
    const later = behindPooler ? emptying : is18 ? 'PBE' : '';
    // SET LOCAL, to which the schema's name is bound, or both as one SELECT.
    const parameters = 'PBE';
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      for (const first of [emptying, later, later]) {
        world.wire.reset();
        await client.query('SELECT owner FROM note WHERE id = $1', [1]);
        expect(world.wire.messages.join('')).toBe(`${first}${parameters}PBDES`);
      }
      client.release();
    });
  });

  it('warns of nothing', async () => {
    await world.context.run(world.acme, async () => {
      const client = await world.pool.connect();
      const notices: unknown[] = [];
      client.on('notice', (notice) => notices.push(notice.message));
      for (let i = 0; i < 2; i++) {
        await client.query('SELECT owner FROM note WHERE id = $1', [1]);
        await client.query('SELECT 1; SELECT 2');
        await client.query('BEGIN; SELECT 1; COMMIT');
        await client.query('BEGIN');
        await client.query('SELECT 1');
        await client.query('COMMIT');
      }
      client.release();
      expect(notices).toEqual([]);
    });
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

  it.each<[string, (bytes: Buffer) => Buffer[]]>([
    ['in one piece', (bytes) => [bytes]],
    ['a byte at a time', (bytes) => Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))],
    ['behind a notification', (bytes) => [Buffer.concat([NOTIFICATION, bytes])]],
  ])('an answer is read that comes %s', async (_how, split) => {
    let raw!: ClientInternals;
    world.pool.once('acquire', (client) => (raw = client as unknown as ClientInternals));
    await world.query(world.acme, 'SELECT 1');
    const { connection } = raw;
    const [listen] = connection.stream.listeners('data') as ((bytes: Buffer) => void)[];
    connection.stream.removeAllListeners('data').on('data', (bytes: Buffer) => split(bytes).forEach(listen));
    try {
      await world.context.run(world.globex, async () => {
        const client = await world.pool.connect();
        for (const _ of [1, 2])
          await expect(client.query('SELECT owner FROM note WHERE id = $1', [1])).resolves.toMatchObject({
            rows: [{ owner: 'globex' }],
          });
        client.release();
      });
      await expect(world.query(world.acme, 'SELECT owner FROM note')).resolves.toEqual([{ owner: 'acme' }]);
    } finally {
      connection.stream.removeAllListeners('data').on('data', listen);
    }
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
