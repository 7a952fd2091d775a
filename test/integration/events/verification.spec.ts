import { DataSource } from 'typeorm';
import type { SqlExecutor } from '../../../lib/common/sql';
import { hashOfEvent } from '../../../lib/registry/events/event-hash';
import { recordEvent } from '../../../lib/registry/events/event-outbox';
import { EventSealer } from '../../../lib/registry/events/event-sealer';
import { EventTrail } from '../../../lib/registry/events/event-trail';
import { type EventProblem, EventVerificationRun } from '../../../lib/registry/events/event-verification';
import { pruneEvents } from '../../../lib/registry/events/prune-events';
import { openRegistry, registryOptions } from '../../../lib/registry/registry';
import { createTestDatabase, type TestDatabase } from '../../support/database';

const ID = '01900000-0000-7000-8000-000000000001';
const OTHER = '01900000-0000-7000-8000-000000000002';
const events = 'tenancy.tenant_events';
const heads = 'tenancy.tenant_event_heads';

let database: TestDatabase;
let registry: DataSource;
let trail: EventTrail;

beforeAll(async () => {
  database = await createTestDatabase();
  registry = new DataSource(registryOptions({ url: database.url }));
  await openRegistry(registry);
  trail = new EventTrail(registry, new EventSealer(registry));
});
afterAll(async () => {
  await registry?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  await database.query(`TRUNCATE ${events}, ${heads}`);
  for (let i = 1; i <= 6; i++)
    for (const tenantId of [ID, OTHER, null])
      await recordEvent(registry, '"tenancy"', { tenantId, type: `order.e${i}`, data: { i } });
  expect(await verify()).toEqual([]);
});

const verify = async () =>
  (await trail.verify(ID)).problems.map(({ id: _, position: __, ...problem }) => problem);
const sql = (text: string, values: unknown[] = [ID]) => database.query(text, values);

/** A row as good as any, chained to what has the number before. */
async function forge(sequence: number, change: object = {}): Promise<void> {
  const [before] = await trail.list({ tenantId: ID, types: [`order.e${sequence - 1}`], limit: 1 });
  const row = {
    ...{
      id: '01900000-0000-7000-8000-00000000ffff',
      tenantId: ID,
      sequence: String(sequence),
      position: '1000',
    },
    ...{
      type: 'order.forged',
      actorType: 'system',
      actorId: null,
      subject: null,
      data: '{}',
      occurredMs: '0',
    },
    previousHash: before.hash,
    ...change,
  };
  await database.query(
    `INSERT INTO ${events} (position, id, tenant_id, sequence, type, actor_type, data, occurred_at, previous_hash, hash)
     VALUES ($1, $2, $3, $4, $5, 'system', $6, 'epoch', decode($7, 'hex'), decode($8, 'hex'))`,
    [row.position, row.id, ID, sequence, row.type, '{}', row.previousHash, hashOfEvent(row)],
  );
}
const makeRoom = async (from: number) => {
  for (let i = 6; i >= from; i--)
    await sql(`UPDATE ${events} SET sequence = sequence + 1 WHERE tenant_id = $1 AND sequence = ${i}`);
};

const changed = (sequence: number) => [{ kind: 'changed', sequence: String(sequence) }];
const removed = (from: number, to = from) => [
  { kind: 'removed', sequence: String(from), ...(to > from && { toSequence: String(to) }) },
];
const inserted = (sequence: number) => [{ kind: 'inserted', sequence: String(sequence) }];

const change = (what: string, sequence: number) => () =>
  sql(`UPDATE ${events} SET ${what} WHERE tenant_id = $1 AND sequence = ${sequence}`);
const remove = (where: string) => () => sql(`DELETE FROM ${events} WHERE tenant_id = $1 AND ${where}`);

it.each<[string, () => Promise<unknown>, Omit<EventProblem, 'id'>[] | object]>([
  ['data that was changed', change(`data = '{"i":33}'`, 3), changed(3)],
  ['data of another spelling', change(`data = '{"i": 3}'`, 3), changed(3)],
  ['another type', change(`type = 'order.e9'`, 1), changed(1)],
  ['another actor', change(`actor_id = 'eve'`, 6), changed(6)],
  ['an empty text for none', change(`subject = ''`, 2), changed(2)],
  ['another time', change(`occurred_at = occurred_at + interval '1 ms'`, 2), changed(2)],
  ['another position', change(`position = 100000`, 2), changed(2)],
  ['another hash', change(`hash = sha256('x')`, 4), changed(4)],
  ['another previous hash', change(`previous_hash = sha256('x')`, 4), changed(4)],
  ['the first one removed', remove('sequence = 1'), removed(1)],
  ['one in the middle removed', remove('sequence = 3'), removed(3)],
  ['several removed', remove('sequence IN (3, 4)'), removed(3, 4)],
  ['the last one removed', remove('sequence = 6'), removed(6)],
  ['all removed', remove('true'), removed(1, 6)],
  ['one behind the last', () => forge(7), inserted(7)],
  [
    'one removed, and the gap closed',
    async () => {
      await remove('sequence = 3')();
      for (const i of [4, 5, 6])
        await sql(`UPDATE ${events} SET sequence = sequence - 1 WHERE tenant_id = $1 AND sequence = ${i}`);
      await sql(`UPDATE ${heads} SET sequence = 5 WHERE tenant_id = $1`);
    },
    removed(3),
  ],
  [
    'one put between, and room made for it',
    async () => {
      await makeRoom(4);
      await forge(4);
    },
    inserted(4),
  ],
  [
    'the same, with a hash of its own that is wrong, and the head moved',
    async () => {
      await makeRoom(4);
      await forge(4, { subject: 'x' });
      await sql(`UPDATE ${heads} SET sequence = 7 WHERE tenant_id = $1`);
    },
    inserted(4),
  ],
  [
    'one replaced by another that is chained to the one before',
    async () => {
      await remove('sequence = 4')();
      await forge(4);
    },
    changed(4),
  ],
  [
    'the last one replaced',
    async () => {
      await remove('sequence = 6')();
      await forge(6);
    },
    [{ kind: 'head', sequence: '6' }],
  ],
])('finds and names %s', async (_what, tamper, problems) => {
  await tamper();
  expect(await verify()).toEqual(problems);
  expect((await trail.verify(OTHER)).problems).toEqual([]);
  expect((await trail.verify(null)).problems).toEqual([]);
});

it('names what is there by its id, too, and every problem', async () => {
  const [, second] = await trail.list({ tenantId: ID, limit: 2 });
  await change(`type = 'a.b'`, 2)();
  await change(`type = 'a.b'`, 5)();
  const { problems, checked, head } = await trail.verify(ID);
  expect(problems[0]).toMatchObject({
    kind: 'changed',
    sequence: '2',
    id: second.id,
    position: second.position,
  });
  expect([problems.length, checked, head?.sequence]).toEqual([2, 6, '6']);
});

it('finds by a head that was kept elsewhere what was computed anew, or cut off', async () => {
  const { head } = await trail.verify(ID);
  await remove('sequence = 6')();
  const [, , , , fifth] = await trail.list({ tenantId: ID, limit: 6 });
  await sql(`UPDATE ${heads} SET sequence = 5, hash = decode($2, 'hex') WHERE tenant_id = $1`, [
    ID,
    fifth.hash,
  ]);
  expect(await verify()).toEqual([]);
  expect((await trail.verify(ID, { known: head })).problems).toEqual(removed(6));
  await forge(6);
  const [forged] = await trail.list({ tenantId: ID, types: ['order.forged'], limit: 1 });
  await sql(`UPDATE ${heads} SET sequence = 6, hash = decode($2, 'hex') WHERE tenant_id = $1`, [
    ID,
    forged.hash,
  ]);
  expect(await verify()).toEqual([]);
  expect((await trail.verify(ID, { known: head })).problems).toMatchObject(changed(6));
});

it('still verifies what is left when the first are pruned, and finds what is wrong with it', async () => {
  await sql(`UPDATE ${events} SET occurred_at = now() - interval '40 days' WHERE tenant_id IS NULL`, []);
  expect(await trail.prune(ID, 30)).toBe(0);
  // Recorded long ago, so that they are as old as they say.
  await sql(`TRUNCATE ${events}, ${heads}`, []);
  const record = (days: number, i: number) =>
    sql(
      `INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, data, occurred_at)
       VALUES (gen_random_uuid(), $1, 'order.e' || ${i}, 'system', '{}', now() - interval '${days} days')`,
    );
  for (const [i, days] of [40, 35, 31, 10, 33, 1].entries()) await record(days, i + 1);
  expect(await verify()).toEqual([]);
  expect([await trail.prune(ID, 30), await trail.prune(ID, 30), await trail.prune(OTHER, 30)]).toEqual([
    3, 0, 0,
  ]);
  const left = await trail.verify(ID);
  expect(left).toMatchObject({ problems: [], checked: 3, sealedSequence: '3', head: { sequence: '6' } });
  await remove('sequence = 4')();
  expect(await verify()).toEqual(removed(4));
  // All may go: the next one is chained to the last.
  await sql(`TRUNCATE ${events}, ${heads}`, []);
  await record(50, 1);
  await trail.list({ limit: 1 });
  expect(await trail.prune(ID, 30)).toBe(1);
  await record(0, 2);
  expect(await trail.verify(ID)).toMatchObject({ problems: [], checked: 1, head: { sequence: '2' } });
});

describe('pruning beside others', () => {
  const age = (days: number, upTo: number) =>
    sql(
      `INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, data, occurred_at)
       SELECT gen_random_uuid(), $1, 'order.aged', 'system', '{}', now() - interval '${days} days' FROM generate_series(1, ${upTo})`,
    );
  beforeEach(async () => {
    await sql(`TRUNCATE ${events}, ${heads}`, []);
    await age(50, 2);
    await age(40, 2);
    await age(0, 1);
    await trail.head(ID);
  });

  it('does not go back when another has pruned more meanwhile', async () => {
    const [first, second] = [registry.createQueryRunner(), registry.createQueryRunner()];
    await first.startTransaction();
    await pruneEvents(first.manager, '"tenancy"', ID, 30);
    await second.startTransaction();
    const slow = pruneEvents(second.manager, '"tenancy"', ID, 45);
    while (
      (
        await sql(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
          [],
        )
      ).length === 0
    );
    await first.commitTransaction();
    await slow;
    await second.commitTransaction();
    await Promise.all([first.release(), second.release()]);
    expect(await trail.verify(ID)).toMatchObject({ problems: [], checked: 1, sealedSequence: '4' });
  });

  it('is no problem of a verification that is under way', async () => {
    for (const days of [30, 0]) {
      const executor: SqlExecutor = {
        query: async (text, values) => {
          // Between the look at the head and that at the events.
          if (text.includes('.tenant_events WHERE')) await trail.prune(ID, days);
          return registry.query(text, values);
        },
      };
      const run = new EventVerificationRun(executor, '"tenancy"', ID);
      expect((await run.run()).problems).toEqual([]);
    }
    expect(await trail.verify(ID)).toMatchObject({
      checked: 0,
      sealedSequence: '5',
      head: { sequence: '5' },
    });
  });

  it('finds the hash changed of the last one that was pruned', async () => {
    await trail.prune(ID, 30);
    await sql(`UPDATE ${heads} SET sealed_hash = sha256('x') WHERE tenant_id = $1`);
    expect(await verify()).toEqual([{ kind: 'head', sequence: '4' }]);
    await trail.prune(ID, 0);
    await sql(`UPDATE ${heads} SET sealed_hash = sha256('x') WHERE tenant_id = $1`);
    expect(await verify()).toEqual([{ kind: 'head', sequence: '5' }]);
  });
});
