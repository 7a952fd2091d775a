import { ExpressAdapter } from '@nestjs/platform-express';
import { type Tenant, TenancyModule } from '../../lib';
import { ApiKeys } from '../../lib/access';
import { ApiKeyUses } from '../../lib/access/api-key-uses';
import { TenancyUsageModule, TenantUsage, UsageReports } from '../../lib/usage';
import { type AccessApp, startAccessApp } from '../support/access-app';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { resetClock, setClock } from '../support/set-clock';
import { startTestApp, type TestApp } from '../support/test-app';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const AHEAD = 31 * DAY;

describe('An instance whose clock is wrong', () => {
  let database: TestDatabase;
  let app: AccessApp;
  let counting: TestApp;
  let acme: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await startAccessApp(database, new ExpressAdapter());
    counting = await startTestApp({
      imports: [
        TenancyModule.forRoot(notesOptions(database)),
        TenancyUsageModule.forRoot({
          plans: { free: { exports: { limit: 2, per: 'day', hard: true } } },
          defaultPlan: 'free',
        }),
      ],
    });
    acme = await app.create({ slug: 'acme' });
  });
  afterEach(resetClock);
  afterAll(async () => {
    await app.close();
    await counting.close();
    await database.drop();
  });

  const keys = () => app.app.get(ApiKeys);
  const statusWith = async (key: string) => (await app.call('GET /orders', { 'x-api-key': key })).status;
  const inMs = (ms: number) => new Date(Date.now() + ms);
  /** How far from PostgreSQL's time, in milliseconds. */
  const distance = async (time: Date | null) => {
    const [{ now }] = await database.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    return Math.abs(time!.getTime() - now.getTime());
  };

  it.each([
    ['a month ahead', AHEAD],
    ['an hour back', -HOUR],
  ])('%s lets a key in until it expires, and no longer', async (_case, ahead) => {
    const good = await app.makeKey(acme.id, { expiresAt: inMs(HOUR) });
    const bad = await app.makeKey(acme.id, { expiresAt: inMs(HOUR) });
    await database.query(
      `UPDATE tenancy.api_keys SET expires_at = clock_timestamp() - interval '1 second' WHERE id = $1`,
      [bad.id],
    );
    setClock(ahead);
    // Asked for, then remembered.
    for (let i = 0; i < 2; i++) {
      await expect(statusWith(good.key)).resolves.toBe(200);
      await expect(statusWith(bad.key)).resolves.toBe(401);
    }
    await expect(keys().get(acme.id, good.id)).resolves.toMatchObject({ status: 'active' });
    await expect(keys().get(acme.id, bad.id)).resolves.toMatchObject({ status: 'expired' });
  });

  it.each([
    ['a month ahead', AHEAD],
    ['an hour back', -HOUR],
  ])('%s takes a moment to come for what it is', async (_case, ahead) => {
    const [coming, past] = [inMs(DAY), inMs(-1_000)];
    setClock(ahead);
    await expect(app.makeKey(acme.id, { expiresAt: coming })).resolves.toMatchObject({ status: 'active' });
    await expect(app.makeKey(acme.id, { expiresAt: past })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it.each([
    ['a month ahead', AHEAD],
    ['an hour back', -HOUR],
  ])('%s ends a rotation’s overlap when it is over', async (_case, ahead) => {
    const { id, key } = await app.makeKey(acme.id);
    setClock(ahead);
    const rotated = await keys().rotate(acme.id, id, { overlapMs: HOUR });
    expect(await distance(new Date(rotated.overlapEndsAt!.getTime() - HOUR))).toBeLessThan(5_000);
    await expect(statusWith(key)).resolves.toBe(200);
    const again = await keys().rotate(acme.id, id, { overlapMs: 0 });
    await expect(statusWith(rotated.key)).resolves.toBe(401);
    await expect(statusWith(again.key)).resolves.toBe(200);
  });

  it('notes when a key was used, blocked and revoked by PostgreSQL’s', async () => {
    const { id, key } = await app.makeKey(acme.id);
    setClock(AHEAD);
    await statusWith(key);
    await app.app.get(ApiKeyUses).flush();
    await keys().block(acme.id, id);
    const { lastUsedAt, blockedAt, revokedAt } = await keys().revoke(acme.id, id);
    for (const time of [lastUsedAt, blockedAt, revokedAt]) expect(await distance(time)).toBeLessThan(5_000);
  });

  it('counts usage, and grants quotas, on PostgreSQL’s day', async () => {
    const usage = counting.app.get(TenantUsage);
    const today = new Date().toISOString().slice(0, 10);
    await usage.reserve('exports', 2, acme);
    setClock(AHEAD);
    usage.count('orders', 3, acme);
    await expect(usage.reserve('exports', 1, acme)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    const report = await counting.app.get(UsageReports).of(acme);
    expect(report.to).toBe(today);
    expect(report.quotas).toMatchObject([{ metric: 'exports', used: 2 }]);
    const days = await database.query<{ metric: string; month: string }>(
      `SELECT metric, to_char(month, 'YYYY-MM') AS month FROM tenancy.usage_months WHERE tenant_id = $1 ORDER BY 1`,
      [acme.id],
    );
    expect(days.map(({ month }) => month)).toEqual([today.slice(0, 7), today.slice(0, 7)]);
  });
});
