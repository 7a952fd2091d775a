import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { SeededRandom } from '../../../lib/testing/hammer/seeded-random';
import type { Tenant } from '../../../lib/registry/tenant';
import { twoTenants, type TwoTenants } from '../../support/two-tenants';

const LEASES = 40;

/** What the source of a COPY fails with, in the middle. */
const BROKEN = new Error('the source broke');

/** One step of a lease, for a tenant whose table has the rows with these ids. */
type Step = (client: PoolClient, tenant: Tenant, ids: Set<number>) => Promise<void>;

/** Both ask by the same names. The table of globex has a column more, so what one has prepared is not the other's. */
const all = { name: 'all', text: 'SELECT * FROM note ORDER BY id' };
const byId = (id: number) => ({ name: 'by id', text: 'SELECT owner FROM note WHERE id = $1', values: [id] });
const add = (id: number) => ({
  name: 'add',
  text: 'INSERT INTO note (id) VALUES ($1) RETURNING owner',
  values: [id],
});

describe('COPY and named statements, mixed, on one connection for two tenants', () => {
  let world: TwoTenants;
  let random: SeededRandom;
  let ids: Map<Tenant, Set<number>>;
  let nextId: number;

  beforeAll(async () => {
    world = await twoTenants(1);
    await world.database.query(`ALTER TABLE ${world.globex.schemaName}.note ADD COLUMN more int`);
  });
  afterAll(() => world.close());

  const newIds = () => Array.from({ length: 1 + random.integer(3) }, () => nextId++);
  /** In chunks that cut rows in two. */
  const chunks = (text: string) =>
    Array.from({ length: Math.ceil(text.length / 3) }, (_, i) => text.slice(3 * i, 3 * i + 3));
  const into = (client: PoolClient) => client.query(copyFrom('COPY note (id) FROM STDIN'));
  const rowsOf = (numbers: Iterable<number>) => [...numbers].map((id) => `${id}\n`).join('');

  /** Reads all by name, and finds the tenant's rows and no other. */
  const read: Step = async (client, { slug }, known) => {
    const { rows } = await client.query<{ id: number; owner: string }>(all);
    expect(rows.map(({ id, owner }) => [id, owner])).toEqual(
      [...known].sort((one, other) => one - other).map((id) => [id, slug]),
    );
  };

  const write: Step = async (client, { slug }, known) => {
    const [id] = newIds();
    await expect(client.query(add(id))).resolves.toMatchObject({ rows: [{ owner: slug }] });
    known.add(id);
  };

  const copyIn: Step = async (client, _tenant, known) => {
    const added = newIds();
    await pipeline(Readable.from(chunks(rowsOf(added))), into(client));
    for (const id of added) known.add(id);
  };

  const copyOut: Step = async (client, { slug }, known) => {
    const text = await client
      .query(copyTo('COPY (SELECT id, owner FROM note ORDER BY id) TO STDOUT'))
      .toArray();
    const lines = [...known].sort((one, other) => one - other).map((id) => `${id}\t${slug}\n`);
    expect(Buffer.concat(text).toString()).toBe(lines.join(''));
  };

  const failOnRow: Step = async (client, _tenant, known) => {
    const text = rowsOf([...newIds(), ...known].slice(0, 4).concat([...known][0]));
    await expect(pipeline(Readable.from(chunks(text)), into(client))).rejects.toMatchObject({
      code: '23505',
    });
  };

  const failOfSource: Step = async (client) => {
    async function* source() {
      yield* chunks(rowsOf(newIds()));
      throw await Promise.resolve(BROKEN);
    }
    await expect(pipeline(source, into(client))).rejects.toThrow(BROKEN.message);
  };

  const failOfTable: Step = async (client) => {
    const out = client.query(copyTo('COPY nowhere TO STDOUT'));
    await expect(out.toArray()).rejects.toMatchObject({ code: '42P01' });
  };

  /** Named ones wait in the queue behind a COPY that fails, or does not. */
  const queued: Step = async (client, { slug }, known) => {
    const added = newIds();
    const fails = random.integer(2) === 0;
    const copied = pipeline(
      Readable.from(chunks(rowsOf(fails ? [...added, [...known][0]] : added))),
      into(client),
    ).then(
      () => undefined,
      (error: { code?: string }) => error.code,
    );
    const [outcome, first, last] = await Promise.all([
      copied,
      client.query(byId([...known][0])),
      client.query(byId(added[0])),
    ]);
    expect(outcome).toBe(fails ? '23505' : undefined);
    expect(first.rows).toEqual([{ owner: slug }]);
    expect(last.rows).toEqual(fails ? [] : [{ owner: slug }]);
    if (!fails) for (const id of added) known.add(id);
  };

  /** Some of all in a transaction, which is committed, or rolled back. */
  const transaction: Step = async (client, tenant, known) => {
    const inside = new Set(known);
    await client.query('BEGIN');
    for (let i = 0; i < 3; i++) await random.pick([read, write, copyIn, copyOut])(client, tenant, inside);
    const isKept = random.integer(2) === 0;
    await client.query(isKept ? 'COMMIT' : 'ROLLBACK');
    if (isKept) for (const id of inside) known.add(id);
  };

  const STEPS = [read, write, copyIn, copyOut, failOnRow, failOfSource, failOfTable, queued, transaction];

  /** Released in the middle of a COPY: what was sent of it is kept nowhere. */
  async function leaveInTheMiddle(client: PoolClient): Promise<void> {
    const stream = random.integer(2)
      ? client.query(copyTo('COPY (SELECT owner FROM note, generate_series(1, 20000)) TO STDOUT'))
      : into(client);
    const closed = new Promise((resolve) => stream.once('error', resolve).once('close', resolve));
    if ('write' in stream) stream.write(rowsOf(newIds()));
    else {
      const [chunk] = (await stream.take(1).toArray({ signal: AbortSignal.timeout(5_000) })) as Buffer[];
      expect(chunk.length).toBeGreaterThan(0);
    }
    client.release();
    await closed;
  }

  it.each([1, 2])('keep every row where it belongs, whatever fails on the way: seed %i', async (seed) => {
    await world.reset();
    random = new SeededRandom(seed);
    nextId = 2;
    ids = new Map([
      [world.acme, new Set([1])],
      [world.globex, new Set([1])],
    ]);
    for (let lease = 0; lease < LEASES; lease++) {
      const tenant = random.pick([world.acme, world.globex]);
      const known = ids.get(tenant)!;
      await world.context.run(tenant, async () => {
        const client = await world.pool.connect();
        try {
          for (let i = random.integer(4); i >= 0; i--) await random.pick(STEPS)(client, tenant, known);
        } catch (error) {
          client.release(true);
          throw error;
        }
        if (random.integer(8) > 0) return client.release();
        await leaveInTheMiddle(client);
      });
    }
    for (const [{ schemaName, slug }, known] of ids) {
      const rows = await world.database.query<{ id: number; owner: string }>(
        `SELECT id, owner FROM ${schemaName}.note ORDER BY id`,
      );
      expect(rows.map(({ id, owner }) => [id, owner])).toEqual(
        [...known].sort((one, other) => one - other).map((id) => [id, slug]),
      );
    }
    // A COPY that fails is rolled back by a message of its own: who gives the connection back before, ends it.
    expect(Object.keys(world.pool.destroyedByCause)).toEqual(['query in flight']);
  });
});
