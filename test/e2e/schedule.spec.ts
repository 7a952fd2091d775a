import { once, EventEmitter } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { Injectable, Module, Scope } from '@nestjs/common';
import {
  InMemoryTenantStore,
  type Tenant,
  TenancyModule,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
  TenantPurge,
  TenantStore,
} from '../../lib';
import {
  TenancyScheduleModule,
  TenantCron,
  type TenantCronCall,
  type TenantCronOptions,
  type TenantTimerRun,
  TenantTimers,
} from '../../lib/schedule';
import { checkTenantAdapter } from '../../lib/testing';
import { EventTrail } from '../../lib/events';
import { CronTimes, loadCronTime } from '../../lib/schedule/cron-times';
import { type DeclaredTimer, type DeclaredTimers } from '../../lib/schedule/declared-timers';
import { CheckedScheduleOptions } from '../../lib/schedule/schedule.options';
import { EndedWork } from '../../lib/provisioning/hooks/ended-work';
import { TimerRows } from '../../lib/schedule/timer-rows';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { ManualClock } from '../support/manual-clock';
import { Note, notesOptions } from '../support/notes';
import { resetClock, setClock } from '../support/set-clock';
import { startTestApp, type TestApp } from '../support/test-app';

/** Its fires are told in both of its instances, by the timer that `EverySecond` is. */
const seconds: { instance: number; slug: string; fireAt: number }[] = [];
let instances = 0;

@Injectable()
class EverySecond {
  readonly #instance = (instances += 1);

  constructor(
    private readonly context: TenantContext,
    private readonly connection: TenantConnection,
  ) {}

  @TenantCron('* * * * * *', { missed: 'run-once' })
  async note(tenant: Tenant, { fireAt }: TenantCronCall) {
    await this.connection.getRepository(Note).save({ text: `${tenant.slug} ${fireAt.toISOString()}` });
    seconds.push({ instance: this.#instance, slug: this.context.tenant().slug, fireAt: fireAt.getTime() });
  }
}

/** What a fleet of instances has done for tenants. */
class Work {
  readonly done: string[] = [];
  readonly #events = new EventEmitter();
  #held = new Map<string, Promise<void>>();

  /** The work for these tenants does not end before the returned function is called. */
  hold(...slugs: string[]): () => void {
    let open = () => undefined as void;
    const opened = new Promise<void>((resolve) => (open = resolve));
    for (const slug of slugs) this.#held.set(slug, opened);
    return open;
  }

  begun(slug: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.done.some((each) => each.endsWith(` ${slug}`))) resolve();
      this.#events.on('begun', (told) => told === slug && resolve());
    });
  }

  async run(instance: string, { slug }: Tenant, { signal }: TenantCronCall): Promise<void> {
    this.done.push(`${instance} ${slug}`);
    this.#events.emit('begun', slug);
    if (slug === 'failing') throw new Error('the mail server said no');
    const held = this.#held.get(slug);
    this.#held.delete(slug);
    if (held) await Promise.race([held, once(signal, 'abort')]);
  }
}

describe('Timers of tenants', () => {
  let database: TestDatabase;
  let test: TestApp;
  let rows: TimerRows;
  const open: TenantTimers[] = [];
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    test = await startTestApp({
      imports: [TenancyModule.forRoot(notesOptions(database)), TenancyScheduleModule.forRoot()],
    });
    rows = test.app.get(TimerRows, { strict: false });
    for (const slug of ['acme', 'failing', 'globex', 'initech', 'umbrella']) await test.create({ slug });
  });
  afterEach(async () => {
    resetClock();
    for (const timers of open.splice(0)) await timers.onModuleDestroy();
  });
  afterAll(async () => {
    await test?.close();
    await database?.drop();
  });

  /** A timer that is registered, and whose fire of this minute is due. */
  async function due(options: TenantCronOptions = {}, behind = '1 minute'): Promise<string> {
    const name = `timer ${(names += 1)}`;
    await rows.register([{ name, expression: '* * * * *', timeZone: 'UTC' }]);
    // Did the minute end in the middle of a test, one more would be due.
    const leftMs = 60_000 - (Date.now() % 60_000);
    if (leftMs < 5_000) await wait(leftMs + 50);
    await fire(name, behind);
    timersByName.set(name, options);
    return name;
  }
  const timersByName = new Map<string, TenantCronOptions>();

  const fire = (name: string, behind = '1 minute') =>
    database.query(
      `UPDATE tenancy.timers SET decided_until = date_trunc('minute', clock_timestamp()) - $2::interval WHERE name = $1`,
      [name, behind],
    );

  interface Instance {
    readonly clock: ManualClock;
    readonly timers: TenantTimers;
    /** The next run that this instance ends. */
    ended(): Promise<TenantTimerRun>;
  }

  /** An instance of an application with this timer alone, whose clock stands still. */
  function start(
    name: string,
    work: (tenant: Tenant, call: TenantCronCall) => unknown,
    changes: Partial<CheckedScheduleOptions> = {},
    store = test.app.get(TenantStore),
    expression = '* * * * *',
  ): Instance {
    const clock = new ManualClock();
    const events = new EventEmitter();
    const given = timersByName.get(name)!;
    const timer: DeclaredTimer = {
      ...{ name, expression: '* * * * *', timeZone: 'UTC', concurrency: 1, missed: 'skip', ...given },
      times: new CronTimes(loadCronTime(), expression, 'UTC'),
      call: work,
    };
    const timers = new TenantTimers(
      { find: () => [timer] } as unknown as DeclaredTimers,
      rows,
      store,
      test.app.get(TenantContext),
      test.app.get(EndedWork),
      { ...new CheckedScheduleOptions(), onRun: (run) => void events.emit('run', run), ...changes },
      clock,
    );
    timers.onModuleInit();
    timers.onApplicationBootstrap();
    open.push(timers);
    return { clock, timers, ended: async () => ((await once(events, 'run')) as [TenantTimerRun])[0] };
  }

  const status = async (name: string) =>
    (await test.app.get(TenantTimers).list()).find((each) => each.name === name)!;

  /** Lets time pass in an instance until something is so in the registry. */
  async function passUntil({ clock }: Pick<Instance, 'clock'>, isSo: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; !(await isSo()); tries++) {
      if (tries > 500) throw new Error('It did not come to be so.');
      await clock.advance(300);
      await wait(5);
    }
  }

  const everybody = ['acme', 'failing', 'globex', 'initech', 'umbrella'];

  it('run for each tenant in its context, by one instance, and tell which failed', async () => {
    const name = await due({ concurrency: 2 });
    const work = new Work();
    const context = test.app.get(TenantContext);
    const seen = new Set<string>();
    const method = (instance: string) => (tenant: Tenant, call: TenantCronCall) => {
      seen.add(`${context.tenant().slug} for ${tenant.slug}`);
      return work.run(instance, tenant, call);
    };
    const counted: unknown[] = [];
    const uncount = test.app.get(EndedWork).on((ended) => counted.push(ended));
    const [a, b] = [start(name, method('A')), start(name, method('B'))];
    const run = await Promise.race([a.ended(), b.ended()]);
    uncount();
    expect(counted).toEqual([
      {
        timerRun: { timer: name, outcome: 'failed', seconds: expect.any(Number), visited: 5, failed: 1 },
      },
    ]);
    expect(work.done.map((each) => each.slice(2)).sort()).toEqual(everybody);
    expect(new Set(work.done.map((each) => each[0])).size).toBe(1);
    expect([...seen].sort()).toEqual(everybody.map((slug) => `${slug} for ${slug}`));
    expect(run).toMatchObject({
      name,
      state: 'done',
      visited: 5,
      failed: 1,
      failures: [{ slug: 'failing', error: 'the mail server said no' }],
      resumed: 0,
    });
    expect(run.fireAt.getTime() % 60_000).toBe(0);
    expect(await status(name)).toMatchObject({ expression: '* * * * *', skipped: 0, lastRun: run });
    expect(test.log.warnings.at(-1)).toMatch(/failed for 1: failing \(the mail server said no\)/);
    const failing = await test.app.get(TenantLifecycle).get('failing');
    const events = await test.app
      .get(EventTrail)
      .list({ types: ['timer.*'], tenantId: failing.id, limit: 9 });
    expect(events).toMatchObject([
      { type: 'timer.gave-up', subject: name, data: { timer: name, error: 'the mail server said no' } },
    ]);
  });

  it('do not run again for a fire, whatever the clock of an instance or of PostgreSQL does', async () => {
    const name = await due();
    const work = new Work();
    setClock(-86_400_000);
    const a = start(name, (...given) => work.run('A', ...given));
    await a.ended();
    // As after a jump forward of PostgreSQL's clock that was taken back: decided is more than the time is.
    await database.query(
      `UPDATE tenancy.timers SET decided_until = clock_timestamp() + interval '1 hour' WHERE name = $1`,
      [name],
    );
    setClock(86_400_000);
    const b = start(name, (...given) => work.run('B', ...given));
    for (let i = 0; i < 5; i++) {
      await b.clock.advance(60_000);
      await wait(10);
    }
    expect(work.done).toHaveLength(5);
  });

  it('leave out suspended tenants, and follow those that are made or purged in the middle', async () => {
    const name = await due();
    const work = new Work();
    const lifecycle = test.app.get(TenantLifecycle);
    for (const slug of ['leaving', 'paused']) await test.create({ slug });
    await lifecycle.suspend('globex');
    const letGo = work.hold('failing', 'initech');
    const letAcmeGo = work.hold('acme');
    const a = start(name, (...given) => work.run('A', ...given));
    const ended = a.ended();
    await work.begun('acme');
    await lifecycle.suspend('paused');
    await lifecycle.delete('leaving');
    await test.app.get(TenantPurge).purge('leaving');
    await test.create({ slug: 'arriving' });
    // What was read of the list before is older than a second now.
    await a.clock.advance(1_100);
    letAcmeGo();
    letGo();
    await ended;
    expect(work.done).toEqual(
      ['acme', 'failing', 'initech', 'umbrella', 'arriving'].map((slug) => `A ${slug}`),
    );
    for (const slug of ['globex', 'paused']) await lifecycle.activate(slug);
    for (const slug of ['paused', 'arriving']) {
      await lifecycle.delete(slug);
      await test.app.get(TenantPurge).purge(slug);
    }
  });

  it('are gone on with by another instance when one is gone: only those in flight have their work done twice', async () => {
    const name = await due({ concurrency: 2 });
    const work = new Work();
    const letGo = work.hold('globex', 'initech');
    const a = start(name, (...given) => work.run('A', ...given));
    await work.begun('initech');
    // The position is written; then the instance is not heard of again.
    await passUntil(a, async () => (await status(name)).lastRun?.visited === 2);
    await database.query(`UPDATE tenancy.timer_runs SET lease_until = clock_timestamp() WHERE name = $1`, [
      name,
    ]);
    const b = start(name, (...given) => work.run('B', ...given));
    const run = await b.ended();
    expect(work.done.filter((each) => each.startsWith('B')).sort()).toEqual([
      'B globex',
      'B initech',
      'B umbrella',
    ]);
    expect(run).toMatchObject({ visited: 5, failed: 1, resumed: 1, failures: [{ slug: 'failing' }] });
    // It comes back, and sees that the run is not its own any more.
    await a.clock.advance(20_000);
    letGo();
    await a.timers.onModuleDestroy();
    expect(work.done.filter((each) => each.startsWith('A'))).toHaveLength(4);
    expect((await status(name)).lastRun).toEqual(run);
  });

  it('are given up at shutdown, and gone on with at once', async () => {
    const name = await due();
    const work = new Work();
    work.hold('globex');
    const a = start(name, (...given) => work.run('A', ...given));
    await work.begun('globex');
    // Its work hears of it by the signal.
    await a.timers.onModuleDestroy();
    const b = start(name, (...given) => work.run('B', ...given));
    expect(await b.ended()).toMatchObject({ visited: 5, resumed: 1 });
    expect(work.done).toEqual(['A acme', 'A failing', 'A globex', 'B initech', 'B umbrella']);
  });

  it('do not keep a shutdown waiting for work that does not end', async () => {
    const name = await due();
    const never = start(name, ({ slug }) => (slug === 'globex' ? new Promise(() => undefined) : undefined), {
      shutdownTimeoutMs: 50,
    });
    await passUntil(never, async () => (await status(name)).lastRun?.visited === 2);
    await never.timers.onModuleDestroy();
    const work = new Work();
    const b = start(name, (...given) => work.run('B', ...given));
    await b.ended();
    expect(work.done).toEqual(['B globex', 'B initech', 'B umbrella']);
  });

  it.each(['skip', 'run-once'] as const)(
    'do not overlap themselves: a fire in between comes to nothing, or runs after (%s)',
    async (missed) => {
      const name = await due({ missed });
      const work = new Work();
      const letGo = work.hold('globex');
      const method = (tenant: Tenant, call: TenantCronCall) => work.run('A', tenant, call);
      const a = start(name, method, {}, undefined, '* * * * * *');
      const ended = a.ended();
      await work.begun('globex');
      const before = (await status(name)).skipped;
      await passUntil(a, async () => {
        const [{ now }] = await database.query<{ now: Date }>('SELECT clock_timestamp() AS now');
        const { skipped, lastRun } = await status(name);
        return missed === 'skip' ? skipped > before : now.getTime() - lastRun!.fireAt.getTime() > 2_000;
      });
      expect(work.done).toHaveLength(3);
      letGo();
      const first = await ended;
      expect(work.done).toHaveLength(5);
      if (missed === 'skip') return;
      // The clock of the instance stands still: it goes on because the run has ended.
      const second = await a.ended();
      expect(second.fireAt.getTime()).toBeGreaterThan(first.fireAt.getTime());
      expect(work.done).toHaveLength(10);
    },
  );

  it.each([
    ['skip', 0],
    ['run-once', 1],
  ] as const)('say what all instances have missed (%s)', async (missed, runs) => {
    const name = await due({ missed }, '3 days');
    const work = new Work();
    // A fire right now is none that was missed.
    const a = start(name, (...given) => work.run('A', ...given), { lateAfterMs: 1 });
    if (runs) await a.ended();
    else await passUntil(a, async () => (await status(name)).skipped > 0);
    expect(work.done).toHaveLength(5 * runs);
    expect((await status(name)).skipped).toBe(100 - runs);
    expect(test.log.warnings.some((each) => each.includes(`"${name}" has skipped`))).toBe(true);
  });

  it('break off when the list of tenants cannot be read on, and say so', async () => {
    const name = await due();
    class Broken extends InMemoryTenantStore {
      override list(): Promise<Tenant[]> {
        return Promise.reject(new Error('the store is confused'));
      }
    }
    const run = await start(name, () => undefined, {}, new Broken()).ended();
    expect(run).toMatchObject({ state: 'broken', visited: 0, error: 'the store is confused' });
  });

  it('keep of a run with many failures the first hundred, and of a timer the last hundred runs', async () => {
    const name = await due();
    await database.query(
      `INSERT INTO tenancy.timer_runs (name, fire_at, state, claim_id, holder, lease_until)
       SELECT $1, now() - make_interval(days => i), 'done', gen_random_uuid(), 'x', now() FROM generate_series(1, 150) i`,
      [name],
    );
    const store = new InMemoryTenantStore();
    for (let i = 0; i < 130; i++)
      await store.insert({
        ...{
          id: `01930000-0000-7000-8000-${String(i).padStart(12, '0')}`,
          slug: `t${i}`,
          name: 't',
          schemaName: `t_${i}`,
        },
        ...{ status: 'active', domains: [], metadata: {} },
      } as unknown as Parameters<InMemoryTenantStore['insert']>[0]);
    // Cut after 500, it ends with half of a character.
    const long = `\0${'x'.repeat(498)}😀`;
    const thrown = [new Error(long), Object.create(null), Object.assign(new Error(), { message: 1 })];
    let calls = 0;
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- of strangers, anything may come
    const run = await start(name, () => Promise.reject(thrown[calls++ % 3]), {}, store).ended();
    expect(run).toMatchObject({ state: 'done', visited: 130, failed: 130 });
    expect(run.failures).toHaveLength(100);
    expect(new Set(run.failures.map(({ error }) => error))).toEqual(
      new Set([`\uFFFD${'x'.repeat(498)}\uFFFD`, 'It has no text.', '1']),
    );
    const [{ kept }] = await database.query<{ kept: number }>(
      `SELECT count(*)::int AS kept FROM tenancy.timer_runs WHERE name = $1`,
      [name],
    );
    expect(kept).toBe(100);
  });

  it('have no fires of the time before they were there, or had another expression', async () => {
    const [name] = [await due({}, '3 days')];
    const decidedUntil = async () =>
      (
        await database.query<{ at: Date }>('SELECT decided_until AS at FROM tenancy.timers WHERE name = $1', [
          name,
        ])
      )[0].at;
    await rows.register([{ name, expression: '* * * * *', timeZone: 'UTC' }]);
    expect(Date.now() - (await decidedUntil()).getTime()).toBeGreaterThan(86_400_000);
    await rows.register([{ name, expression: '0 3 * * *', timeZone: 'UTC' }]);
    expect(Date.now() - (await decidedUntil()).getTime()).toBeLessThan(60_000);
  });

  it('forget a purged tenant', async () => {
    await test.create({ slug: 'forgotten' });
    const name = await due();
    await start(name, () => Promise.reject(new Error('no'))).ended();
    expect((await status(name)).lastRun?.failures.map(({ slug }) => slug)).toContain('forgotten');
    await test.app.get(TenantLifecycle).delete('forgotten');
    await test.app.get(TenantPurge).purge('forgotten');
    expect((await status(name)).lastRun?.failures.map(({ slug }) => slug)).not.toContain('forgotten');
  });

  it('keep the contract of adapters', async () => {
    const context = test.app.get(TenantContext);
    const findings = await checkTenantAdapter({
      app: test.app,
      isDeferred: true,
      enter: async (work) => {
        const { id } = context.tenant();
        let outcome: Promise<void> | undefined;
        const name = await due();
        const run = start(name, (tenant) => (tenant.id === id ? (outcome = work()) : undefined));
        await run.ended();
        if (!outcome) throw new Error('The tenant had no turn.');
        await outcome;
      },
    });
    expect(findings).toEqual([]);
  });

  it('fire in two applications by themselves, once each', async () => {
    const module = {
      imports: [TenancyModule.forRoot(notesOptions(database)), TenancyScheduleModule.forRoot()],
      providers: [EverySecond],
    };
    const apps = [await startTestApp(module), await startTestApp(module)];
    while (new Set(seconds.map(({ fireAt }) => fireAt)).size < 3) await wait(20);
    for (const { close } of apps) await close();
    const visits = seconds.map(({ slug, fireAt }) => `${slug} ${fireAt}`);
    expect(new Set(visits).size).toBe(visits.length);
    expect(seconds.every(({ fireAt }) => fireAt % 1_000 === 0)).toBe(true);
    const fires = [...new Set(seconds.map(({ fireAt }) => fireAt))];
    // But for the last one, which a shutdown may have interrupted.
    for (const fire of fires.slice(0, -1))
      expect(seconds.filter(({ fireAt }) => fireAt === fire)).toHaveLength(5);
    const acme = await database.query<{ schema_name: string }>(
      `SELECT schema_name FROM tenancy.tenants WHERE slug = 'acme'`,
    );
    const notes = await database.query<{ text: string }>(`SELECT text FROM ${acme[0].schema_name}.note`);
    expect(notes.length).toBeGreaterThanOrEqual(fires.length - 1);
    expect(notes.every(({ text }) => text.startsWith('acme '))).toBe(true);
  });

  describe('that cannot work', () => {
    const never = {
      imports: [
        TenancyModule.forRoot({
          database: { url: 'postgres://127.0.0.1:1/none', connectAttempts: 1 },
          entities: [],
          resolvers: [],
        }),
      ],
    };

    /** Why an application with these providers does not start. */
    async function refusal(...providers: (new () => object)[]): Promise<string> {
      @Module({ providers })
      class Timed {}
      const module = {
        imports: [TenancyModule.forRoot(notesOptions(database)), TenancyScheduleModule.forRoot(), Timed],
      };
      const app = await startTestApp(module).then(
        async ({ close }) => close(),
        (error: Error & { code?: string }) => `${error.code}: ${error.message}`,
      );
      return app ?? 'it has started';
    }

    it('end the start, with all that is wrong', async () => {
      class Wrong {
        @TenantCron('0 25 * * *')
        hour() {}
        @TenantCron('0 0 30 2 *')
        never() {}
        @TenantCron('* * * * *', { timeZone: 'Mars/Olympus' })
        zone() {}
        @TenantCron('* * * * *', { concurrency: 0, missed: 'all' as never, nam: 'x' } as TenantCronOptions)
        options() {}
        @TenantCron('* * * * *', { name: 'twice' })
        one() {}
        @TenantCron('* * * * *', { name: 'twice' })
        two() {}
        @TenantCron(7 as never)
        seven() {}
      }
      Injectable()(Wrong);
      @Injectable({ scope: Scope.REQUEST })
      class OfRequest {
        @TenantCron('* * * * *')
        run() {}
      }
      const told = await refusal(Wrong, OfRequest);
      expect(told).toMatch(/^SCHEDULE_INVALID: /);
      for (const part of [
        /Wrong\.hour\(\) has the expression '0 25 \* \* \*', which never fires \(Field value \(25\) is out of range\)/,
        /Wrong\.never\(\) .*never fires/,
        /Wrong\.zone\(\) has the time zone 'Mars\/Olympus'/,
        /Wrong\.options\(\)\.concurrency is 0/,
        /Wrong\.options\(\)\.missed is 'all'/,
        /Wrong\.options\(\)\.nam is no option: did you mean name\?/,
        /the timer 'twice' is there 2 times/,
        /Wrong\.seven\(\) has the expression 7/,
        /OfRequest\.run\(\) is a timer of a class that is made anew for each request/,
      ])
        expect(told).toMatch(part);
    });

    it('need TenancyModule, and options that it knows', async () => {
      await expect(startTestApp({ imports: [TenancyScheduleModule.forRoot()] })).rejects.toMatchObject({
        code: 'MODULE_MISSING',
      });
      const wrong = TenancyScheduleModule.forRoot({ leaseMs: 5 });
      await expect(startTestApp({ imports: [...never.imports, wrong] })).rejects.toBeDefined();
    });
  });
});
