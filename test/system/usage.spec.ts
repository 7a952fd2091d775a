import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { TenancyModule, type Tenant } from '../../lib';
import { TenancyUsageModule, TenantUsage, UsageReports } from '../../lib/usage';
import { cleanEnvironment, programArguments, REPOSITORY } from '../support/commands';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

const LIMIT = 20;
const FLUSH_MS = 300;

describe('Usage of two instances on this server', () => {
  let database: TestDatabase;
  let apps: TestApp[];
  let acme: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    const start = () =>
      startTestApp({
        imports: [
          TenancyModule.forRoot(
            notesOptions(database, {
              database: { url: database.poolUrl, directUrl: database.url, connectAttempts: 1 },
            }),
          ),
          TenancyUsageModule.forRoot({
            plans: { all: { exports: { limit: LIMIT, per: 'month', hard: true } } },
            defaultPlan: 'all',
            flushIntervalMs: 3_600_000,
          }),
        ],
      });
    apps = [await start(), await start()];
    acme = await apps[0].create({ slug: 'acme' });
  });
  afterAll(async () => {
    for (const { close } of apps ?? []) await close();
    await database?.drop();
  });

  it('never exceeds a hard quota, by 50 requests at once', async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => apps[i % 2].app.get(TenantUsage).reserve('exports', 1, acme)),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(LIMIT);
    for (const answer of answers)
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });

  it('adds up to what was done, once both have ended', async () => {
    for (let i = 0; i < 100; i += 1) apps[i % 2].app.get(TenantUsage).count('orders', 1, acme);
    await apps[0].close();
    const report = await apps[1].app.get(UsageReports).of(acme, {});
    expect(report.metrics).toContainEqual(expect.objectContaining({ metric: 'orders', total: 100 }));
    expect(report.storage).toMatchObject({ bytes: expect.any(Number) });
    expect(report.storage!.bytes).toBeGreaterThan(0);
    await apps[1].close();
    apps = [];
  });

  it('loses at most what was counted in one interval when its process is killed', async () => {
    const counted = await killedWhileCounting();
    const [{ total }] = await database.query<{ total: number }>(
      `SELECT sum(m.total)::int AS total FROM tenancy.usage_months m JOIN tenancy.tenants t ON t.id = m.tenant_id
       WHERE t.slug = 'crashing' AND m.metric = 'ticks'`,
    );
    // What was counted before the last interval began: the writing of it takes a moment, too.
    const safe = counted.filter((at) => at < counted.at(-1)! - 3 * FLUSH_MS).length;
    expect(safe).toBeGreaterThan(100);
    expect(total).toBeGreaterThanOrEqual(safe);
    expect(total).toBeLessThanOrEqual(counted.length);
  });

  /** When each count was told. */
  async function killedWhileCounting(): Promise<number[]> {
    const program = join(__dirname, 'usage-program.ts');
    const child = spawn(
      process.execPath,
      programArguments(program, database.poolUrl, database.url, String(FLUSH_MS)),
      { cwd: REPOSITORY, env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const closed = once(child, 'close');
    const counted: number[] = [];
    for await (const _line of createInterface(child.stdout)) {
      counted.push(performance.now());
      if (counted.at(-1)! - counted[0] > 10 * FLUSH_MS) child.kill('SIGKILL');
    }
    await closed;
    return counted;
  }
});
