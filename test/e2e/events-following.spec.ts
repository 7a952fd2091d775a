import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { Injectable } from '@nestjs/common';
import { Client } from 'pg';
import { Registry } from 'prom-client';
import {
  type Tenant,
  TenancyModule,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
  TenantPurge,
  TenantStore,
} from '../../lib';
import { backgroundClock } from '../../lib/common/clock';
import { checkArguments } from '../../lib/common/options/check-options';
import {
  EventFollower,
  type EventHandler,
  EventsHealth,
  type FollowCall,
  type FollowOptions,
  OnTenantEvent,
  TenancyEventsModule,
  type TenantEvent,
} from '../../lib/events';
import { CheckedFollowOptions } from '../../lib/events/follow.options';
import { FollowerRows } from '../../lib/events/follower-rows';
import { Following, type FollowingSurroundings } from '../../lib/events/following';
import { TurnMeter } from '../../lib/events/watching/turn-meter';
import { EventSealer } from '../../lib/registry/events/event-sealer';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { resetClock, setClock } from '../support/set-clock';
import { startTestApp, type TestApp } from '../support/test-app';

const RECORD = `
  INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, data)
  SELECT gen_random_uuid(), tenant, $2, 'system', json_build_object('n', n)
  FROM unnest($1::uuid[]) tenant, generate_series(1, $3::int) n`;

/** What followers were told, in the order in which they were. */
class Told {
  readonly all: { instance: string; tenantId: string | null; n: number; type: string }[] = [];
  readonly #events = new EventEmitter();

  note(instance: string, { tenantId, data, type }: TenantEvent): void {
    this.all.push({ instance, tenantId, n: (data as { n: number }).n, type });
    this.#events.emit('told');
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await once(this.#events, 'told');
  }

  /** Resolves when so many were told. */
  count(count: number): Promise<void> {
    return this.until(() => this.all.length >= count);
  }

  of(tenantId: string): number[] {
    return this.all.filter((each) => each.tenantId === tenantId).map(({ n }) => n);
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

@Injectable()
class Deliveries {
  static readonly told = new Told();

  constructor(
    private readonly context: TenantContext,
    private readonly connection: TenantConnection,
  ) {}

  @OnTenantEvent({ follower: 'deliveries', types: ['order.*'] })
  async note(event: TenantEvent, { tenant }: FollowCall) {
    await this.connection.getRepository(Note).save({ text: `${event.type} ${tenant!.slug}` });
    Deliveries.told.note(this.context.tenant().id, event);
  }
}

describe('Followers of the event trail', () => {
  let database: TestDatabase;
  let test: TestApp;
  let rows: FollowerRows;
  let tenants: Tenant[];
  const metrics = new Registry();
  const open: Following[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    test = await startTestApp({
      imports: [
        TenancyModule.forRoot(notesOptions(database)),
        TenancyEventsModule.forRoot({ metricsRegistry: metrics }),
      ],
      providers: [Deliveries],
    });
    rows = test.app.get(FollowerRows, { strict: false });
    tenants = [];
    for (const slug of ['acme', 'globex', 'initech']) tenants.push(await test.create({ slug }));
  });
  afterEach(async () => {
    resetClock();
    for (const each of open.splice(0)) await each.stop();
  });
  afterAll(async () => {
    await test?.close();
    await database?.drop();
  });

  const record = (of: readonly (Tenant | null)[], count = 1, type = 'order.placed') =>
    database.query(RECORD, [of.map((each) => each?.id ?? null), type, count]);

  /** An instance of the application with this follower. */
  function start(
    options: FollowOptions,
    handler: EventHandler,
    changes: Partial<FollowingSurroundings> = {},
  ): Following {
    const following = new Following(checkArguments('test', CheckedFollowOptions, options), handler, {
      rows,
      store: test.app.get(TenantStore),
      context: test.app.get(TenantContext),
      clock: backgroundClock,
      meter: test.app.get(TurnMeter, { strict: false }),
      seal: () => test.app.get(EventSealer).seal(),
      ...{ leaseMs: 30_000, pollMs: 20, shutdownTimeoutMs: 5_000 },
      ...changes,
    });
    open.push(following);
    return following;
  }

  /** A follower that is known from now on, and a place for what it is told. */
  async function follower(options: Partial<FollowOptions> = {}) {
    const told = new Told();
    const checked = checkArguments('test', CheckedFollowOptions, { name: randomUUID(), ...options });
    await test.app.get(EventSealer).seal();
    await rows.register(checked);
    const instance = (name: string, changes?: Partial<FollowingSurroundings>) =>
      start(checked, (events) => events.forEach((each) => told.note(name, each)), changes);
    return { options: checked, name: checked.name, told, instance };
  }

  const backlogOf = (name: string) =>
    database.query<{ tenant_id: string; is_parked: boolean; attempts: number; error: string | null }>(
      'SELECT tenant_id, is_parked, attempts, error FROM tenancy.event_backlogs WHERE follower = $1',
      [name],
    );

  async function untilBacklog(
    name: string,
    isSo: (backlog: Awaited<ReturnType<typeof backlogOf>>) => boolean,
  ) {
    while (!isSo(await backlogOf(name))) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  it('tells a method with @OnTenantEvent() in the context of the tenant', async () => {
    const [acme, globex] = tenants;
    await record([acme, globex], 1, 'order.shipped');
    await record([acme, null], 1, 'invoice.sent');
    await Deliveries.told.count(2);
    expect(Deliveries.told.all.map(({ instance, tenantId }) => instance === tenantId)).toEqual([true, true]);
    for (const { schemaName, slug } of [acme, globex])
      expect(await database.query(`SELECT text FROM "${schemaName}".note`)).toEqual([
        { text: `order.shipped ${slug}` },
      ]);
  });

  it('shares the work among instances, tells each event once, and those of a tenant in their order', async () => {
    const { name, told, instance } = await follower({ concurrency: 2 });
    const each = ['one', 'two'].map((instanceName) => instance(instanceName));
    // More than one look at the trail takes, from several writers at once.
    await Promise.all(upTo(4).map(() => record(tenants, 200, 'order.placed')));
    await told.count(2_400);
    await Promise.all(each.map((one) => one.stop()));
    expect(told.all).toHaveLength(2_400);
    for (const { id } of tenants) {
      const sequence = await database.query<{ n: number }>(
        `SELECT (data->>'n')::int AS n FROM tenancy.tenant_events WHERE tenant_id = $1 AND type = 'order.placed'
         ORDER BY sequence DESC LIMIT 800`,
        [id],
      );
      expect(told.of(id)).toEqual(sequence.map(({ n }) => n).reverse());
    }
    expect(new Set(told.all.map((one) => one.instance)).size).toBe(2);
    // Who is not behind costs no row.
    expect(await backlogOf(name)).toEqual([]);
  });

  it('goes on with another instance where one was killed in the middle of its events', async () => {
    const { options, told, instance } = await follower();
    const [acme] = tenants;
    await record([acme], 5);
    await test.app.get(EventSealer).seal();
    await rows.notice(options);
    // It has handled two of them, and nothing of that is written.
    const [claim] = await rows.claim(options, randomUUID(), 1, 300);
    expect(claim.events).toHaveLength(5);
    instance('heir');
    await told.count(5);
    expect(told.of(acme.id)).toEqual(upTo(5));
    expect(await rows.finish(claim, { sequence: claim.events[1].sequence, at: undefined })).toBe(false);
  });

  it('passes over no event whose transaction ends late', async () => {
    const { told, instance } = await follower();
    const [acme, globex] = tenants;
    const late = new Client({ connectionString: database.url });
    await late.connect();
    try {
      await late.query('BEGIN');
      await late.query(RECORD, [[acme.id, globex.id], 'order.late', 1]);
      await record([acme], 3);
      instance('one');
      await told.count(3);
      await late.query('COMMIT');
      await told.count(5);
      expect(told.all.slice(3).map(({ type }) => type)).toEqual(['order.late', 'order.late']);
    } finally {
      await late.end();
    }
  });

  it('tries a failing tenant again, later and later, from where it failed, and holds up no other', async () => {
    const { name, told } = await follower({ concurrency: 1 });
    const [acme, globex] = tenants;
    let isBroken = true;
    const attempts: number[] = [];
    const following = start({ name, concurrency: 1 }, ([event], call) => {
      if (event.tenantId === acme.id && (event.data as { n: number }).n === 2) {
        attempts.push(call.attempts);
        if (isBroken) throw new Error('the mail server said no\0');
      }
      told.note('one', event);
    });
    await record([acme, globex], 3);
    await told.count(4);
    expect(told.of(acme.id)).toEqual([1]);
    expect(told.of(globex.id)).toEqual(upTo(3));
    await untilBacklog(name, ([row]) => row?.error !== null);
    expect(await backlogOf(name)).toEqual([
      { tenant_id: acme.id, is_parked: false, attempts: 1, error: 'the mail server said no\uFFFD' },
    ]);
    await untilBacklog(name, ([row]) => row?.attempts === 2);
    isBroken = false;
    await database.query('UPDATE tenancy.event_backlogs SET due_at = now() WHERE follower = $1', [name]);
    following.tell();
    await told.count(6);
    expect(told.of(acme.id)).toEqual(upTo(3));
    expect(attempts).toEqual([0, 1, 2]);
  });

  it('gives the one event of a tenant its turn among the thousand of another', async () => {
    const { told, instance } = await follower({ concurrency: 1 });
    const [acme, globex] = tenants;
    await record([acme], 1_000);
    await record([globex], 1);
    instance('one');
    await told.until(() => told.of(globex.id).length === 1);
    expect(told.of(acme.id).length).toBeLessThanOrEqual(200);
    await told.count(1_001);
  });

  it('keeps what happens to a suspended tenant until it is active again, and drops it with a purge', async () => {
    const { name, told, instance } = await follower({ types: ['order.*'] });
    const lifecycle = test.app.get(TenantLifecycle);
    const paused = await test.create({ slug: 'paused' });
    const gone = await test.create({ slug: 'gone' });
    await lifecycle.suspend(paused.id);
    await lifecycle.delete(gone.id);
    await record([paused, gone, tenants[0]], 2);
    instance('one');
    await told.count(2);
    await untilBacklog(name, (backlog) => backlog.length === 2 && backlog.every((row) => row.is_parked));
    // As after a day: it would be looked at again in a long time only.
    await database.query(
      `UPDATE tenancy.event_backlogs SET attempts = 20, due_at = now() + interval '1 hour' WHERE follower = $1`,
      [name],
    );
    await lifecycle.activate(paused.id);
    await told.count(4);
    expect(told.of(paused.id)).toEqual([1, 2]);
    await test.app.get(TenantPurge).purge(gone.id);
    await untilBacklog(name, (backlog) => backlog.length === 0);
    expect(told.of(gone.id)).toEqual([]);
  });

  it('tells a follower as system of all tenants, whatever their status, and of what belongs to none', async () => {
    const { told, instance } = await follower({ as: 'system' });
    const inTenants = await follower();
    const asleep = await test.create({ slug: 'asleep' });
    await test.app.get(TenantLifecycle).suspend(asleep.id);
    await record([asleep, null, tenants[0]]);
    instance('one');
    inTenants.instance('one');
    await told.until(() => told.all.filter(({ n }) => n === 1).length === 3);
    const types = told.all.filter(({ tenantId }) => tenantId === asleep.id).map(({ type }) => type);
    expect(types).toEqual(['tenant.created', 'tenant.suspended', 'order.placed']);
    await inTenants.told.count(1);
    expect(inTenants.told.all.map(({ tenantId }) => tenantId)).toEqual([tenants[0].id]);
  });

  it('begins with the trail where that is asked for, and passes what was pruned', async () => {
    const trail = await database.query<{ tenant_id: string; sequence: string }>(
      `SELECT tenant_id, sequence FROM tenancy.tenant_events WHERE type = 'order.shipped' ORDER BY position`,
    );
    const told: string[] = [];
    const whole = new Told();
    await database.query('DELETE FROM tenancy.tenant_events WHERE tenant_id = $1 AND sequence = $2', [
      trail[0].tenant_id,
      trail[0].sequence,
    ]);
    start(
      { name: randomUUID(), types: ['order.shipped'], from: 'beginning', as: 'system', batch: 100 },
      (events) => {
        told.push(...events.map(({ sequence }) => sequence));
        events.forEach((each) => whole.note('one', each));
      },
    );
    await whole.count(trail.length - 1);
    expect(told).toEqual(trail.slice(1).map(({ sequence }) => sequence));
  });

  it('hands its events over at shutdown, also those of a handler that does not end', async () => {
    const { name, told, instance } = await follower();
    const [acme] = tenants;
    await record([acme], 3);
    let aborted = false;
    let begun = () => undefined as void;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const first = start(
      { name },
      ([event], { signal }) => {
        signal.addEventListener('abort', () => (aborted = true));
        if ((event.data as { n: number }).n === 1) return told.note('first', event);
        begun();
        return new Promise(() => undefined);
      },
      { shutdownTimeoutMs: 10 },
    );
    await hasBegun;
    await first.stop();
    expect(aborted).toBe(true);
    instance('second');
    await told.count(3);
    expect(told.all.map((each) => `${each.instance} ${each.n}`)).toEqual(['first 1', 'second 2', 'second 3']);
  });

  it('lets go of what another instance has taken over after its lease', async () => {
    const { name, told } = await follower();
    const [acme] = tenants;
    await record([acme], 2);
    let ended = () => undefined as void;
    const hasEnded = new Promise<void>((resolve) => (ended = resolve));
    start(
      { name },
      async (_events, { signal }) => {
        await database.query('UPDATE tenancy.event_backlogs SET claim_id = $2 WHERE follower = $1', [
          name,
          randomUUID(),
        ]);
        await once(signal, 'abort');
        ended();
      },
      { leaseMs: 300 },
    );
    await hasEnded;
    expect(told.all).toEqual([]);
    expect(test.log.warnings.at(-1)).toContain('another instance has them');
  });

  it('asks no clock but that of PostgreSQL, and waits for no time that it has set back', async () => {
    const { name, told, instance } = await follower();
    setClock(31 * 86_400_000);
    await record(tenants, 1);
    await test.app.get(EventSealer).seal();
    await rows.notice(checkArguments('test', CheckedFollowOptions, { name }));
    await database.query(
      `UPDATE tenancy.event_backlogs SET due_at = now() + interval '1 month', claim_id = $2 WHERE follower = $1`,
      [name, randomUUID()],
    );
    instance('one');
    await told.count(3);
  });

  it('tells metrics and health how far followers are behind, and blames no tenant that fails or rests', async () => {
    const resting = await test.create({ slug: 'resting' });
    await test.app.get(TenantLifecycle).suspend(resting.id);
    const health = async () => (await test.app.get(EventsHealth).followers()).events;
    const { options, name } = await follower({ types: ['invoice.*'] });
    const shown = async () => {
      const lines = (await metrics.metrics()).split('\n').filter((line) => !line.startsWith('#'));
      const own = lines.filter((line) => line.includes(name) || line.includes('unsealed'));
      return own.map((line) => line.replace(name, 'me')).join('\n');
    };
    const [acme, globex] = tenants;
    await record([acme, globex, resting], 1, 'invoice.sent');
    await test.app.get(EventSealer).seal();
    const untilSeen = `SELECT FROM tenancy.event_followers
      WHERE name = 'deliveries' AND position = (SELECT max(position) FROM tenancy.tenant_events)`;
    test.app.get(EventFollower).wake();
    while ((await database.query(untilSeen)).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await database.query(
      `UPDATE tenancy.tenant_events SET occurred_at = now() - interval '10 minutes' WHERE type = 'invoice.sent'
         AND position > (SELECT position FROM tenancy.event_followers WHERE name = $1)`,
      [name],
    );
    // It runs nowhere, so nothing has looked for its events; and it is none of this instance's business.
    expect(await shown()).toMatch(/behind_seconds\{follower="me"\} 60\d/);
    expect(await health()).toMatchObject({ status: 'up', failing: 0 });

    start(options, ([{ tenantId }]) => {
      if (tenantId === acme.id) throw new Error('the mail server said no');
    });
    await untilBacklog(
      name,
      (backlog) => backlog.length === 2 && backlog.every((row) => row.is_parked || row.attempts > 0),
    );
    const held = await shown();
    expect(held).toMatch(/behind_seconds\{follower="me"\} 60\d/);
    for (const [state, count] of Object.entries({ waiting: 0, failing: 1, kept: 1 }))
      expect(held).toContain(`follower_tenants{follower="me",state="${state}"} ${count}\n`);
    expect(held).toMatch(/turns_total\{follower="me",result="done"\} 1\n.*result="failed"\} [1-9]/);
    expect(held).toMatch(/unsealed_seconds 0/);
    const { behindMs, ...rest } = await health();
    expect(Number(behindMs)).toBeGreaterThanOrEqual(600_000);
    expect(rest).toMatchObject({ status: 'up', failing: 1 });

    const sealing = new Client({ connectionString: database.url });
    await sealing.connect();
    try {
      await sealing.query('BEGIN; LOCK TABLE tenancy.tenant_events IN SHARE MODE');
      await database.query(
        `INSERT INTO tenancy.tenant_event_outbox (id, type, actor_type, data, occurred_at)
         VALUES (gen_random_uuid(), 'invoice.late', 'system', '{}', now() - interval '10 minutes')`,
      );
      expect(await shown()).toMatch(/unsealed_seconds 60\d/);
      expect(await health()).toMatchObject({ status: 'down', failing: 1 });
    } finally {
      await sealing.end();
    }
  });

  it('waits while the registry is away, and goes on', async () => {
    const { told, instance } = await follower();
    instance('one');
    await record(tenants, 2);
    const name = new URL(database.url).pathname.slice(1);
    const elsewhere = new Client({
      connectionString: Object.assign(new URL(database.url), { pathname: '/postgres' }).href,
    });
    await elsewhere.connect();
    try {
      await elsewhere.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`);
      await elsewhere.query(
        'SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1',
        [name],
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
      await elsewhere.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS true`);
    } finally {
      await elsewhere.end();
    }
    await record(tenants, 2);
    // What was told and not written comes again.
    await told.until(() => tenants.every(({ id }) => told.of(id).join().endsWith('1,2,1,2')));
  });

  it('leaves a follower to the instances that were started last, when these follow other types', async () => {
    const { name, told, instance } = await follower({ types: ['order.*'] });
    const [acme] = tenants;
    const old = instance('old');
    await record([acme]);
    await told.count(1);
    await untilBacklog(name, (backlog) => backlog.length === 0);
    const more = checkArguments('test', CheckedFollowOptions, { name, types: ['order.*', 'invoice.*'] });
    await rows.register(more);
    start(more, (events) => events.forEach((each) => told.note('new', each)));
    await record([acme], 1, 'invoice.sent');
    await told.count(2);
    await record([acme], 1);
    await told.count(3);
    await old.stop();
    expect(told.all.map((each) => `${each.instance} ${each.type}`)).toEqual([
      'old order.placed',
      'new invoice.sent',
      'new order.placed',
    ]);
  });

  it('is refused by what it is not', () => {
    const events = test.app.get(EventFollower);
    const handler = () => undefined;
    expect(() => events.follow({ name: 'deliveries' }, handler)).toThrow(
      /has a follower "deliveries" already/,
    );
    for (const options of [
      {},
      { name: '' },
      { name: 'a\n' },
      { name: 'x'.repeat(101) },
      { name: 'x', types: 'order.*' },
      { name: 'x', types: ['Order%'] },
      { name: 'x', types: Array(51).fill('a.b') },
      { name: 'x', batch: 0 },
      { name: 'x', concurrency: 101 },
      { name: 'x', from: 'yesterday' },
      { name: 'x', as: 'root' },
      { name: 'x', other: 1 },
      null,
    ])
      expect(() => events.follow(options as FollowOptions, handler)).toThrow(TypeError);
  });

  it('forgets a follower when it is told to', async () => {
    const { name } = await follower();
    await record(tenants);
    await test.app.get(EventSealer).seal();
    await rows.notice(checkArguments('test', CheckedFollowOptions, { name }));
    expect(await backlogOf(name)).toHaveLength(3);
    expect(await test.app.get(EventFollower).forget(name)).toBe(true);
    expect(await backlogOf(name)).toEqual([]);
    expect(await test.app.get(EventFollower).forget(name)).toBe(false);
  });
});
