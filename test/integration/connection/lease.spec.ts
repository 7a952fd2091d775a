import type { PoolClient } from 'pg';
import { behindPooler } from '../../support/database';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

/** Resolves when the server is running a statement that contains `text`. */
async function isRunning(world: TwoTenants, text: string): Promise<void> {
  for (;;) {
    const rows = await world.database.query(
      `SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE $1`,
      [`%${text}%`],
    );
    if (rows.length > 0) return;
  }
}

describe('A connection that is lent', () => {
  let world: TwoTenants;
  const borrow = (tenant = world.acme): Promise<PoolClient> =>
    world.context.run(tenant, () => world.pool.connect());
  const owners = async (client: PoolClient) => (await client.query('SELECT owner FROM note')).rows;

  beforeEach(async () => {
    world = await twoTenants(1);
  });
  afterEach(() => world.close());

  it('works for the tenant of the code that asked for it', async () => {
    const client = await borrow(world.globex);
    await expect(owners(client)).resolves.toEqual([{ owner: 'globex' }]);
    client.release();
  });

  it('is kept in the pool when nothing is wrong with it', async () => {
    for (const tenant of [world.acme, world.globex]) await world.query(tenant, 'SELECT 1');
    const failed = world.query(world.acme, 'SELECT * FROM nowhere');
    await expect(failed).rejects.toMatchObject({ code: '42P01' });
    expect(world.pool.totalCount).toBe(1);
    expect(world.pool.destroyedByCause).toEqual({});
  });

  it('is destroyed when its transaction is still open', async () => {
    const client = await borrow();
    await client.query('BEGIN');
    await client.query('UPDATE note SET id = 5');
    client.release();
    expect(world.pool.destroyedByCause).toEqual({ 'open transaction': 1 });
    await expect(world.query(world.acme, 'SELECT id FROM note')).resolves.toEqual([{ id: 1 }]);
  });

  it('is destroyed when its transaction has failed', async () => {
    const client = await borrow();
    await client.query('BEGIN');
    await expect(client.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
    client.release();
    await expect(world.query(world.globex, 'SELECT owner FROM note')).resolves.toEqual([{ owner: 'globex' }]);
    expect(world.pool.destroyedByCause).toEqual({ 'open transaction': 1 });
  });

  it('is destroyed when a statement is still running', async () => {
    const client = await borrow();
    const running = client.query('SELECT pg_sleep(60) /* left behind */');
    await isRunning(world, 'left behind');
    client.release();
    await expect(running).rejects.toThrow('Connection terminated');
    expect(world.pool.destroyedByCause).toEqual({ 'query in flight': 1 });
    await expect(world.query(world.globex, 'SELECT owner FROM note')).resolves.toEqual([{ owner: 'globex' }]);
  });

  it('is destroyed when statements are still queued: none runs for whoever comes next', async () => {
    const client = await borrow();
    const first = client.query('BEGIN');
    const queued = client.query("INSERT INTO note VALUES (7, 'acme')");
    client.release();
    await expect(Promise.allSettled([first, queued])).resolves.toEqual([
      expect.objectContaining({ status: 'rejected' }),
      expect.objectContaining({ status: 'rejected' }),
    ]);
    await expect(world.query(world.globex, 'SELECT * FROM note')).resolves.toEqual([
      { id: 1, owner: 'globex' },
    ]);
    await expect(world.query(world.acme, 'SELECT * FROM note')).resolves.toEqual([{ id: 1, owner: 'acme' }]);
  });

  it('is destroyed after a client-side timeout, even one that has since been answered', async () => {
    const client = await borrow();
    const slow = { text: 'SELECT pg_sleep(0.2)', query_timeout: 20 };
    await expect(client.query(slow)).rejects.toThrow('Query read timeout');
    await client.query('SELECT 1');
    client.release();
    expect(world.pool.destroyedByCause).toEqual({ 'client-side error': 1 });
  });

  it('is destroyed when released with an error', async () => {
    const client = await borrow();
    client.release(new Error('broken'));
    expect(world.pool.totalCount).toBe(0);
    expect(world.pool.destroyedByCause).toEqual({ 'told to': 1 });
  });

  it.each([
    'SET statement_timeout = 1000',
    '/* first */ set session statement_timeout to 1000',
    "SELECT set_config('statement_timeout', '1000', false)",
    "SELECT set_config('statement_timeout', (1000 * abs(1))::text, false)",
    "SELECT coalesce(set_config('my.mark', '(', false), '', true::text)",
    "SELECT coalesce(set_config('my.mark', ', true)', false))",
    "SELECT concat(set_config('my.mark', '1', /* ( */ false), true)",
    "SELECT concat(set_config('my.mark', '(', false), true)",
    'LISTEN news',
    'PREPARE p AS SELECT 1',
    'CREATE TEMP TABLE note_copy AS SELECT * FROM note',
    'SELECT * INTO TEMPORARY note_copy FROM note',
    'CREATE TABLE pg_temp.note_copy (id int)',
    'SELECT pg_advisory_lock(1)',
    'SELECT pg_try_advisory_lock_shared(1)',
    'BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT',
    'SELECT 1; SET statement_timeout = 1000',
  ])('is destroyed after what stays in the session: %s', async (sql) => {
    await world.query(world.acme, sql);
    expect(world.pool.destroyedByCause).toEqual({ 'session state': 1 });
    expect(world.pool.totalCount).toBe(0);
  });

  const foundOut = behindPooler
    ? 'is of no use to the system after a function has set the path of a pooler’s session'
    : 'is destroyed after a function has set the session’s path, as soon as that is seen';
  it(foundOut, async () => {
    const hidden = `DO $$ BEGIN EXECUTE 'SELECT set_con' || 'fig(''search_path'', ''t_acme'', false)'; END $$`;
    await world.query(world.acme, hidden);
    const asSystem = () => world.context.runAsSystem(() => world.dataSource.query('SELECT * FROM note'));
    await expect(asSystem()).rejects.toMatchObject({ code: '42P01' });
    await expect(world.query(world.globex, 'SELECT owner FROM note')).resolves.toEqual([{ owner: 'globex' }]);
    // A pooler keeps the session whatever we do, and who meets it again is a matter of luck.
    if (!behindPooler) expect(world.pool.destroyedByCause).toEqual({ 'session state': 1 });
  });

  it.each([
    'UPDATE note SET owner = owner',
    'SET LOCAL statement_timeout = 1000',
    "SELECT set_config('statement_timeout', '1000', true)",
    "SELECT set_config('statement_timeout', concat('1', '000'), true)",
    'SELECT pg_advisory_xact_lock(1)',
    "SELECT 'set the table', 'create temp'",
  ])('is kept after what ends with its statement: %s', async (sql) => {
    await world.query(world.acme, sql);
    expect(world.pool.totalCount).toBe(sql.includes('create temp') ? 0 : 1);
  });

  const lost = behindPooler ? 'whose line to the pooler is cut' : 'whose backend is terminated';
  it(`${lost} while nobody listens does not end the process`, async () => {
    const client = await borrow();
    const [{ pid }] = (await client.query('SELECT pg_backend_pid() AS pid')).rows;
    const ended = new Promise((resolve) => client.once('end', resolve));
    if (behindPooler) world.wire.cut(0);
    else await world.database.query('SELECT pg_terminate_backend($1)', [pid]);
    await ended;
    await expect(client.query('SELECT 1')).rejects.toThrow();
    client.release();
    expect(world.pool.totalCount).toBe(0);
    await expect(world.query(world.globex, 'SELECT owner FROM note')).resolves.toEqual([{ owner: 'globex' }]);
  });

  it('can be released once', async () => {
    const client = await borrow();
    client.release();
    expect(() => client.release()).toThrow('already been released');
  });

  it('cannot be released by somebody who had it before', async () => {
    const before = await borrow();
    before.release();
    const now = await borrow(world.globex);
    expect(() => before.release()).toThrow('already been released');
    await expect(owners(now)).resolves.toEqual([{ owner: 'globex' }]);
    expect(world.pool.idleCount).toBe(0);
    now.release();
  });

  it('refuses statements of somebody who had it before, in every way of asking', async () => {
    const before = await borrow();
    before.release();
    const now = await borrow(world.globex);
    world.wire.reset();
    await expect(before.query('SELECT owner FROM note')).rejects.toMatchObject({ code: 'LEASE_ENDED' });
    await expect(
      new Promise((resolve, reject) =>
        before.query('SELECT 1', (error, result) => (error ? reject(error) : resolve(result))),
      ),
    ).rejects.toMatchObject({ code: 'LEASE_ENDED' });
    expect(world.wire.messages).toEqual([]);
    now.release();
  });

  it('refuses to work for another tenant than the one it was lent to, and sends nothing', async () => {
    const client = await borrow();
    world.wire.reset();
    await expect(world.context.run(world.globex, () => owners(client))).rejects.toMatchObject({
      code: 'TENANT_CONTEXT_MISMATCH',
      statusCode: 500,
    });
    expect(world.wire.messages).toEqual([]);
    await expect(owners(client)).resolves.toEqual([{ owner: 'acme' }]);
    client.release();
    expect(world.pool.totalCount).toBe(1);
  });

  it('refuses the system and the system’s refuses a tenant', async () => {
    const client = await borrow();
    await expect(world.context.runAsSystem(() => owners(client))).rejects.toMatchObject({
      code: 'TENANT_CONTEXT_MISMATCH',
    });
    client.release();
    const system = await world.context.runAsSystem(() => world.pool.connect());
    await expect(world.context.run(world.acme, () => owners(system))).rejects.toMatchObject({
      code: 'TENANT_CONTEXT_MISMATCH',
    });
    system.release();
  });

  it('goes on working for its tenant where the context was lost', async () => {
    const client = await borrow();
    await expect(world.context.runInFrame(undefined, () => owners(client))).resolves.toEqual([
      { owner: 'acme' },
    ]);
    client.release();
  });

  it('works for the tenant that asked, though the request’s frame has changed while it was waited for', async () => {
    const first = await borrow(world.globex);
    const frame = { tenant: world.acme };
    const waiting = world.context.runInFrame(frame, () => world.pool.connect());
    frame.tenant = world.globex;
    first.release();
    const client = await waiting;
    await expect(world.context.run(world.acme, () => owners(client))).resolves.toEqual([{ owner: 'acme' }]);
    await expect(world.context.run(world.globex, () => owners(client))).rejects.toMatchObject({
      code: 'TENANT_CONTEXT_MISMATCH',
    });
    client.release();
  });

  it('works for who asked, though somebody else gave it back', async () => {
    const first = await borrow(world.acme);
    const second = world.context.run(world.globex, () => world.dataSource.query('SELECT owner FROM note'));
    await world.context.run(world.acme, () => Promise.resolve(first.release()));
    await expect(second).resolves.toEqual([{ owner: 'globex' }]);
  });

  it('is the same in callback style, on a connection that another tenant’s request opened', async () => {
    await world.query(world.acme, 'SELECT 1');
    const seen = await new Promise((resolve) => {
      world.context.run(world.globex, () => {
        world.pool.connect((_error, client, release) => {
          client!.query('SELECT owner FROM note', (_failed: Error, { rows }: { rows: unknown[] }) => {
            release();
            resolve({ rows, slug: world.context.find()?.slug });
          });
        });
      });
    });
    expect(seen).toEqual({ rows: [{ owner: 'globex' }], slug: 'globex' });
  });

  it('gives events of its socket no tenant, not the one whose request opened it', async () => {
    const client = await borrow(world.acme);
    const heard = new Promise((resolve) => client.once('notice', () => resolve(world.context.frame())));
    await client.query("DO $$ BEGIN RAISE NOTICE 'hello'; END $$");
    await expect(heard).resolves.toBeUndefined();
    client.release();
  });
});
