import { Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { recordEvent } from '../../../lib/registry/events/event-outbox';
import { EventSealer } from '../../../lib/registry/events/event-sealer';
import { EventTrail } from '../../../lib/registry/events/event-trail';
import type { EventQuery, NewEvent } from '../../../lib/registry/events/tenant-event';
import { openRegistry, registryOptions } from '../../../lib/registry/registry';
import { createTestDatabase, type TestDatabase } from '../../support/database';

const SCHEMA = '"tenancy"';
const tenant = (number: number) => `01900000-0000-7000-8000-${String(number).padStart(12, '0')}`;

let database: TestDatabase;
let registry: DataSource;
let trail: EventTrail;

beforeAll(async () => {
  database = await createTestDatabase();
  registry = new DataSource(registryOptions({ url: database.url }));
  await openRegistry(registry);
  trail = new EventTrail(registry, new EventSealer(registry));
});
beforeEach(() =>
  database.query('TRUNCATE tenancy.tenant_events, tenancy.tenant_event_outbox, tenancy.tenant_event_heads'),
);
afterAll(async () => {
  await registry?.destroy();
  await database?.drop();
});

const record = (event: Partial<NewEvent> = {}) =>
  recordEvent(registry, SCHEMA, { tenantId: tenant(1), type: 'order.shipped', ...event });
const typesOf = async (query: Partial<EventQuery>) =>
  (await trail.list({ limit: 100, ...query })).map(({ type }) => type);

describe('the trail', () => {
  it('has what was recorded, with who did what, numbered for each tenant and chained', async () => {
    const before = Date.now();
    const actor = { type: 'api-key', id: 'k1' };
    const data = { b: 1, a: ['Größe 東京', null], __proto__: { c: 2 } };
    const id = await record({ actor, subject: 'order 7', data });
    await record({ tenantId: tenant(2) });
    await record({ tenantId: null, type: 'template.changed' });
    await record({ type: 'order.paid' });
    const events = await trail.list({ limit: 100 });
    const [first, other, nobodys, second] = events;
    expect(first).toEqual({
      ...{ id, tenantId: tenant(1), type: 'order.shipped', actor, subject: 'order 7', data },
      ...{ occurredAt: expect.any(Date), sequence: '1', position: expect.stringMatching(/^\d+$/) },
      ...{ hash: expect.stringMatching(/^[0-9a-f]{64}$/), previousHash: '0'.repeat(64) },
    });
    expect(Math.abs(first.occurredAt.getTime() - before)).toBeLessThan(60_000);
    expect(second).toMatchObject({
      sequence: '2',
      previousHash: first.hash,
      actor: { type: 'system', id: null },
    });
    expect([other.sequence, nobodys.sequence, nobodys.tenantId]).toEqual(['1', '1', null]);
    expect(await trail.head(tenant(1))).toMatchObject({
      sequence: '2',
      hash: second.hash,
      sealedSequence: '0',
    });
    expect(await trail.head(null)).toMatchObject({ sequence: '1', hash: nobodys.hash });
    expect(await trail.head(tenant(3))).toBeUndefined();
  });

  it('is read by tenant, type, actor, subject, time and position, from either end', async () => {
    for (const type of ['order.shipped', 'order.paid', 'orders.listed', 'invoice.sent'])
      await record({ type });
    await record({
      tenantId: tenant(2),
      type: 'order.paid',
      actor: { type: 'cli', id: 'eve' },
      subject: '7',
    });
    await record({ tenantId: null, type: 'a%b.c' });
    expect(await typesOf({ types: ['order.*'] })).toEqual(['order.shipped', 'order.paid', 'order.paid']);
    expect(await typesOf({ types: ['order.paid', 'inv*'], tenantId: tenant(1) })).toEqual([
      'order.paid',
      'invoice.sent',
    ]);
    expect(await typesOf({ types: ['order%', 'a_b.*', '%.*'] })).toEqual([]);
    expect(await typesOf({ types: [] })).toEqual([]);
    expect(await typesOf({ tenantId: null })).toEqual(['a%b.c']);
    expect(await typesOf({ actor: { type: 'cli' } })).toEqual(['order.paid']);
    expect(await typesOf({ actor: { id: 'eve' }, subject: '7' })).toEqual(['order.paid']);
    expect(await typesOf({ actor: { id: null }, limit: 2, latestFirst: true })).toEqual([
      'a%b.c',
      'invoice.sent',
    ]);
    const all = await trail.list({ limit: 100 });
    const [, second, , fourth] = all;
    expect(await typesOf({ after: second.position, before: fourth.position })).toEqual(['orders.listed']);
    const at = new Date(all[5].occurredAt.getTime() + 1);
    expect([await typesOf({ from: at }), (await typesOf({ to: at })).length]).toEqual([[], 6]);
  });

  it('never shows an event behind one that was read, however late its transaction ends', async () => {
    const late = registry.createQueryRunner();
    await late.startTransaction();
    await recordEvent(late, SCHEMA, { tenantId: tenant(1), type: 'order.late' });
    await database.query(
      `INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, data)
       VALUES (gen_random_uuid(), $1, 'order.early', 'system', '{}')`,
      [tenant(1)],
    );
    const [early, ...others] = await trail.list({ limit: 100 });
    expect([early.type, others]).toEqual(['order.early', []]);
    await late.commitTransaction();
    await late.release();
    const [next] = await trail.list({ after: early.position, limit: 100 });
    expect(next).toMatchObject({ type: 'order.late', sequence: '2', previousHash: early.hash });
  });

  it('has every event once and without a hole when many sealers and writers meet', async () => {
    const others = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const source = await new DataSource(registryOptions({ url: database.url })).initialize();
        return { source, sealer: new EventSealer(source) };
      }),
    );
    const seals: number[] = [];
    await Promise.all(
      others.map(async ({ source, sealer }, writer) => {
        for (let i = 0; i < 40; i++) {
          const written = recordEvent(source, SCHEMA, { tenantId: tenant(i % 3), type: `writer.${writer}` });
          seals.push(await sealer.seal());
          await written;
        }
        seals.push(await sealer.seal());
      }),
    );
    for (const { source } of others) await source.destroy();
    const events = await trail.list({ limit: 1_000 });
    expect([seals.reduce((sum, each) => sum + each), events.length]).toEqual([120, 120]);
    for (const number of [0, 1, 2]) {
      const own = events.filter(({ tenantId }) => tenantId === tenant(number));
      expect(own.map(({ sequence }) => Number(sequence))).toEqual(own.map((_, index) => index + 1));
      own.slice(1).forEach((event, index) => expect(event.previousHash).toBe(own[index].hash));
    }
  });

  it('is sealed by batches, of many rows and of large ones', async () => {
    await database.query(
      `INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, data)
       SELECT gen_random_uuid(), $1, 'order.shipped', 'system', json_build_object('n', n, 'text', repeat('x', CASE WHEN n > 1200 THEN 900000 ELSE 1 END))
       FROM generate_series(1, 1210) AS n`,
      [tenant(1)],
    );
    expect(await new EventSealer(registry).seal()).toBe(1_210);
    const [last] = await trail.list({ limit: 1, latestFirst: true });
    expect(last).toMatchObject({ sequence: '1210', data: { n: 1210 } });
  });

  it('is not held up by a second event of one id', async () => {
    const id = await record();
    const again = `INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, data) VALUES ($1, $2, 'x.y', 'system', '1')`;
    await trail.list({ limit: 1 });
    await database.query(again, [id, tenant(1)]);
    await record({ type: 'order.paid' });
    expect(await typesOf({})).toEqual(['order.shipped', 'order.paid']);
    expect(await trail.head(tenant(1))).toMatchObject({ sequence: '2' });
  });
});

it('leaves waiting whose role cannot be told, and seals all others', async () => {
  const sealer = new EventSealer(registry);
  const lists = () => new EventTrail(registry, sealer).list({ limit: 1_000 });
  const logged = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
  sealer.roleElsewhere = (id) => Promise.reject(new Error(`no store for ${id}`));
  // More than are taken at once stand ahead.
  await database.query(
    `INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, data, role_name)
     SELECT gen_random_uuid(), $1, 'order.held', 'system', '{}', 't_1' FROM generate_series(1, 600)`,
    [tenant(1)],
  );
  await record({ type: 'order.behind' });
  await record({ tenantId: tenant(2), type: 'order.other' });
  await record({ tenantId: null, type: 'template.changed' });
  for (let read = 0; read < 2; read++)
    expect((await lists()).map(({ type }) => type)).toEqual(['order.other', 'template.changed']);
  expect(logged.mock.calls).toEqual([[expect.stringMatching(/1 tenants wait.*no store for/)]]);
  logged.mockRestore();
  sealer.roleElsewhere = () => Promise.resolve('t_1');
  expect((await lists()).slice(2).map(({ type }) => type)).toEqual([
    ...Array<string>(600).fill('order.held'),
    'order.behind',
  ]);
});
