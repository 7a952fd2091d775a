import type { EventEmitter } from 'node:events';
import { Client, type PoolClient } from 'pg';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

const NOTICE = `DO $$ BEGIN RAISE NOTICE 'hello'; END $$`;
const TEXT = 25;

describe('What a borrower hangs on a client', () => {
  let world: TwoTenants;
  const borrow = (tenant = world.acme): Promise<PoolClient> =>
    world.context.run(tenant, () => world.pool.connect());
  /** The client behind the handles, whoever has it. */
  let raw: Client;

  beforeAll(async () => {
    world = await twoTenants(1);
    world.pool.on('acquire', (client) => (raw = client as unknown as Client));
  });
  afterAll(() => world.close());
  beforeEach(() => world.reset());
  afterEach(() => expect(world.pool.totalCount).toBe(1));

  it.each(['on', 'addListener', 'once', 'prependListener', 'prependOnceListener'] as const)(
    'hears nothing of the next one’s: %s',
    async (method) => {
      const heard: unknown[] = [];
      const client = await borrow();
      (client as EventEmitter)[method]('notice', (notice) => heard.push(notice));
      client.release();
      await world.query(world.globex, NOTICE);
      expect(heard).toEqual([]);
    },
  );

  it('is heard while it has the client, once or as often as asked, until it is taken off', async () => {
    const heard: string[] = [];
    const often = () => heard.push('often');
    const client = await borrow();
    expect(client.on('notice', often)).toBe(client);
    client.once('notice', () => heard.push('once'));
    expect(client.listeners('notice')).toEqual([often, expect.any(Function)]);
    await client.query(NOTICE);
    await client.query(NOTICE);
    client.removeListener('notice', often);
    await client.query(NOTICE);
    expect(heard).toEqual(['often', 'once', 'often']);
    client.release();
  });

  it('takes off nothing but its own', async () => {
    const before = await borrow();
    const listeners = () => raw.eventNames().map((event) => [event, raw.listenerCount(event)]);
    const own = listeners();
    before.removeAllListeners();
    before.removeAllListeners('error');
    expect(listeners()).toEqual(own);
    before.release();
  });

  it('leaves no listeners behind, however many leases there are', async () => {
    const count = () => raw.eventNames().reduce((sum, event) => sum + raw.listenerCount(event), 0);
    await world.query(world.acme, 'SELECT 1');
    const before = count();
    for (const event of ['notice', 'error', 'end', 'drain', 'notification']) {
      const client = await borrow();
      client.on(event as 'error', () => undefined);
      client.release();
    }
    expect(count()).toBe(before);
  });

  it('an error that nobody listens to any more ends nothing', async () => {
    const client = await borrow();
    client.once('error', () => undefined);
    raw.emit('error', new Error('first'));
    raw.emit('error', new Error('second'));
    client.release();
    await expect(world.query(world.acme, 'SELECT 1')).resolves.toHaveLength(1);
  });

  it('parses no rows of the next one’s', async () => {
    const client = await borrow();
    client.setTypeParser(TEXT, (value) => `acme's ${value}`);
    await expect(client.query('SELECT owner FROM note')).resolves.toMatchObject({
      rows: [{ owner: "acme's acme" }],
    });
    client.release();
    await expect(world.query(world.globex, 'SELECT owner FROM note')).resolves.toEqual([{ owner: 'globex' }]);
  });

  it('is seen by nobody else when it is written to a property', async () => {
    const client = await borrow();
    Object.assign(client, { binary: true, pipeline: true, note: 'acme', query: () => 'acme' });
    expect(client.query('SELECT 1')).toBe('acme');
    expect(raw).toMatchObject({ binary: false, pipeline: false });
    client.release();
    const next = await borrow(world.globex);
    expect(next).not.toHaveProperty('note');
    await expect(next.query('SELECT owner FROM note')).resolves.toMatchObject({
      rows: [{ owner: 'globex' }],
    });
    next.release();
  });

  it('does not reach the next one through a handle that was kept', async () => {
    const before = await borrow();
    before.release();
    const next = await borrow(world.globex);
    const heard: unknown[] = [];
    before.on('notice', (notice) => heard.push(notice));
    expect(() => before.setTypeParser(TEXT, () => 'acme')).toThrow('This client was released');
    expect(() => before.end()).toThrow('This client was released');
    await next.query(NOTICE);
    await expect(next.query('SELECT owner FROM note')).resolves.toMatchObject({
      rows: [{ owner: 'globex' }],
    });
    expect(heard).toEqual([]);
    next.release();
  });

  it('is a client of pg all the same', async () => {
    const client = await borrow();
    expect(client).toBeInstanceOf(Client);
    expect('processID' in client).toBe(true);
    expect(client.escapeIdentifier('a"b')).toBe('"a""b"');
    client.release();
  });
});

describe('A connection that is destroyed', () => {
  it('tells its borrower of its end', async () => {
    const world = await twoTenants(1);
    const client = await world.context.run(world.acme, () => world.pool.connect());
    const ended = new Promise((resolve) => client.once('end', () => resolve('ended')));
    client.release(true);
    await expect(ended).resolves.toBe('ended');
    await world.close();
  });
});
