import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { type Tenant, TenancyModule } from '../../lib';
import { TenancyScheduleModule, TenantCron, type TenantTimerRun } from '../../lib/schedule';
import { TimerRows } from '../../lib/schedule/timer-rows';
import { collectGarbage } from '../support/collect-garbage';
import { cleanEnvironment, programArguments, REPOSITORY } from '../support/commands';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';
import { YEARLY } from './yearly';

const TENANTS = 1_000;
const CONCURRENCY = 4;

/** Each of them with its slug in the order of ids. Their schemas are in no test's way. */
const insertTenants = (database: TestDatabase, count: number) =>
  database.query(
    `INSERT INTO tenancy.tenants (id, slug, name, schema_name, status)
     SELECT ('01930000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'tenant-' || i, 'x', 't_of_timers_' || i, 'active'
     FROM generate_series(1, $1::int) i`,
    [count],
  );

/** Once, and not again while a test goes on: its only fire of this year has been missed. */
const makeDue = (database: TestDatabase, name: string) =>
  database.query(
    `UPDATE tenancy.timers
     SET decided_until = (date_trunc('year', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') - interval '1 minute'
     WHERE name = $1`,
    [name],
  );

describe('A timer whose instance is killed in the middle of its tenants', () => {
  let database: TestDatabase;
  let test: TestApp;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    test = await startTestApp({
      imports: [
        TenancyModule.forRoot(
          notesOptions(database, {
            database: { url: database.poolUrl, directUrl: database.url, connectAttempts: 1 },
          }),
        ),
        TenancyScheduleModule.forRoot(),
      ],
    });
    await insertTenants(database, TENANTS);
    await database.query(
      'CREATE TABLE public.visits (slug text, given text, pid int, at timestamptz DEFAULT now())',
    );
  });
  afterAll(async () => {
    for (const child of children) {
      const closed = once(child, 'close');
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await closed;
      }
    }
    await test?.close();
    await database?.drop();
  });

  async function instance(name: string): Promise<ChildProcess> {
    const child = spawn(
      process.execPath,
      programArguments(join(__dirname, 'timers-program.ts'), database.poolUrl, database.url, name, '5'),
      { cwd: REPOSITORY, env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(child);
    await once(child.stdout, 'data');
    return child;
  }

  const visits = async (): Promise<{ slug: string; given: string; pid: number }[]> =>
    database.query('SELECT slug, given, pid FROM public.visits ORDER BY at');

  async function registered(name: string): Promise<void> {
    const rows = test.app.get(TimerRows, { strict: false });
    await rows.register([{ name, expression: YEARLY, timeZone: 'UTC' }]);
    await makeDue(database, name);
  }

  async function until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await wait(20);
  }

  const isDone = async (name: string) => {
    const [run] = await database.query<TenantTimerRun & { finished_at: Date | null }>(
      'SELECT finished_at FROM tenancy.timer_runs WHERE name = $1 ORDER BY fire_at LIMIT 1',
      [name],
    );
    return run?.finished_at !== null && run !== undefined;
  };

  it('reaches each tenant, and again only those in flight or ended since the position was written', async () => {
    await registered('killed');
    const first = await instance('killed');
    await until(async () => (await visits()).length >= TENANTS / 2);
    const closed = once(first, 'close');
    first.kill('SIGKILL');
    await closed;
    const byFirst = (await visits()).length;
    const [{ after_id: afterId }] = await database.query<{ after_id: string }>(
      `SELECT after_id FROM tenancy.timer_runs WHERE name = 'killed'`,
    );
    const written = Number(afterId.slice(-12));
    // Else the other one would begin anew, and all that follows would hold.
    expect(written).toBeGreaterThan(0);
    await instance('killed');
    await until(() => isDone('killed'));
    const all = await visits();
    expect(all.every(({ slug, given }) => slug === given)).toBe(true);
    const times = new Map<string, number>();
    for (const { slug } of all) times.set(slug, (times.get(slug) ?? 0) + 1);
    // Every tenant had its turn.
    expect(times.size).toBe(TENANTS);
    const twice = [...times]
      .filter(([, count]) => count > 1)
      .map(([slug]) => Number(slug.slice('tenant-'.length)));
    expect(Math.max(...times.values())).toBeLessThanOrEqual(2);
    // Those before the written position that were in flight there, and those that came after it.
    expect(twice.filter((index) => index <= written).length).toBeLessThanOrEqual(CONCURRENCY);
    expect(twice.length).toBeLessThanOrEqual(CONCURRENCY + Math.max(0, byFirst - written));
  });

  it('hands over to another at once when it is told to end', async () => {
    await database.query('TRUNCATE public.visits');
    await registered('stopped');
    const first = await instance('stopped');
    await until(async () => (await visits()).length >= 100);
    const closed = once(first, 'close');
    first.kill('SIGTERM');
    await closed;
    await instance('stopped');
    await until(() => isDone('stopped'));
    const all = await visits();
    expect(new Set(all.map(({ pid }) => pid)).size).toBe(2);
    expect(all).toHaveLength(TENANTS);
  });

  it('needs no more memory for 10,000 tenants than for few', async () => {
    await database.query(`DELETE FROM tenancy.tenants`);
    await insertTenants(database, 10_000);
    await registered('many');
    const heap: number[] = [];
    let visited = 0;

    @Injectable()
    class Many {
      @TenantCron(YEARLY, { name: 'many', concurrency: 8, missed: 'run-once', timeZone: 'UTC' })
      async visit(_tenant: Tenant): Promise<void> {
        await new Promise((resolve) => setImmediate(resolve));
        if (++visited % 1_000 !== 0) return;
        collectGarbage();
        heap.push(process.memoryUsage().heapUsed / 1_048_576);
      }
    }

    const ended = new Promise<TenantTimerRun>((resolve) => {
      void startTestApp({
        imports: [
          TenancyModule.forRoot(
            notesOptions(database, {
              database: { url: database.poolUrl, directUrl: database.url, connectAttempts: 1 },
            }),
          ),
          TenancyScheduleModule.forRoot({ onRun: resolve }),
        ],
        providers: [Many],
      }).then(({ close }) => void ended.then(close));
    });
    expect(await ended).toMatchObject({ visited: 10_000, failed: 0, resumed: 0 });
    expect(heap).toHaveLength(10);
    // 8,000 tenants that were kept would be some 12 MB.
    expect(heap.at(-1)! - heap[1]).toBeLessThan(4);
  });
});
