import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ApiKeys } from '../../lib/access';
import { ApiKeyAuthentication } from '../../lib/access/api-key-authentication';
import { makeKey } from '../../lib/access/key-text';
import type { Tenant } from '../../lib';
import { ApiKeyRows } from '../../lib/access/api-key-rows';
import { toTenantRequest } from '../../lib/resolution/http/tenant-request';
import { type AccessApp, startAccessApp } from '../support/access-app';
import { hearing, shortest } from '../support/change-feed';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { fakeRequest } from '../support/fake-request';
import { SeededRandom } from '../../lib/testing/hammer/seeded-random';
import { mannWhitney } from '../support/mann-whitney';
import { tapWire, type WireTap } from '../support/wire-tap';

describe('API keys on two instances', () => {
  let database: TestDatabase;
  let wire: WireTap;
  let one: AccessApp;
  let other: AccessApp;
  let acme: Tenant;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    database = await createTestDatabase();
    wire = await tapWire(database.url);
    one = await startAccessApp(database, new ExpressAdapter());
    other = await startAccessApp({ ...database, url: wire.url }, new FastifyAdapter());
    acme = await one.create({ slug: 'acme' });
  });
  afterAll(async () => {
    await one?.close();
    await other?.close();
    await wire?.close();
    await database?.drop();
  });

  const statusAt = async (app: AccessApp, key: string) =>
    (await app.call('GET /orders', { 'x-api-key': key })).status;

  /** The milliseconds until it is refused. */
  async function refusedAfter(app: AccessApp, key: string): Promise<number> {
    const start = performance.now();
    while ((await statusAt(app, key)) === 200) if (performance.now() - start > 10_000) return Infinity;
    return performance.now() - start;
  }

  it.each(['block', 'revoke', 'rotate'] as const)(
    'what one does to a key is felt on the other at once: %s',
    async (action) => {
      const delay = await shortest(1_000, async () => {
        const { id, key } = await one.makeKey(acme.id);
        await hearing(other);
        expect(await statusAt(other, key)).toBe(200);
        await one.app.get(ApiKeys)[action](acme.id, id, action === 'rotate' ? { overlapMs: 0 } : {});
        const after = await refusedAfter(other, key);
        expect(await statusAt(one, key)).toBe(401);
        return after;
      });
      expect(delay).toBeLessThanOrEqual(1_000);
    },
  );

  it('what is done by SQL, too', async () => {
    const delay = await shortest(1_000, async () => {
      const { id, key } = await one.makeKey(acme.id);
      await hearing(other);
      expect(await statusAt(other, key)).toBe(200);
      await database.query('UPDATE tenancy.api_keys SET revoked_at = now() WHERE id = $1', [id]);
      return refusedAfter(other, key);
    });
    expect(delay).toBeLessThanOrEqual(1_000);
  });

  const authentication = () => other.app.get(ApiKeyAuthentication);
  const countQuestions = () => jest.spyOn(other.app.get(ApiKeyRows, { strict: false }), 'findSecrets');
  const nobodysKey = () => makeKey('sk', randomUUID()).text;
  const claim = async (text: string) => authentication().claimOf(toTenantRequest(fakeRequest('/')), text);

  it('a key costs one question when it is new, however many ask, and none when it is known', async () => {
    const { key } = await one.makeKey(acme.id);
    await hearing(other);
    const asked = countQuestions();
    await Promise.all(Array.from({ length: 20 }, () => claim(key)));
    expect(asked).toHaveBeenCalledTimes(1);
    // Synchronously: nothing can come in between.
    for (let time = 0; time < 100; time += 1)
      expect(authentication().claimOf(toTenantRequest(fakeRequest('/')), key)).not.toBeInstanceOf(Promise);
    expect(asked).toHaveBeenCalledTimes(1);
    asked.mockRestore();
  });

  it('10,000 unknown keys cost few questions and little memory, and wrong checksums none', async () => {
    const keys = Array.from({ length: 10_000 }, nobodysKey);
    const asked = countQuestions();
    const answers = await Promise.allSettled(keys.map(claim));
    expect(answers.every(({ status }) => status === 'rejected')).toBe(true);
    expect(asked.mock.calls.length).toBeLessThanOrEqual(500);
    const { absent, found, waiting } = authentication().size;
    expect(absent).toBeLessThanOrEqual(10_000);
    expect([found < 100, waiting]).toEqual([true, 0]);
    asked.mockClear();
    for (const key of keys)
      await expect(claim(`${key.slice(0, -1)}-`)).rejects.toMatchObject({ code: 'API_KEY_MALFORMED' });
    expect(asked).not.toHaveBeenCalled();
    asked.mockRestore();
  });

  it('when a key was last used is written every so often, and when the application ends', async () => {
    const lastUsed = async (id: string) => {
      const [{ at }] = await database.query<{ at: Date | null }>(
        `SELECT (SELECT last_used_at FROM tenancy.api_key_uses WHERE key_id = $1) AS at`,
        [id],
      );
      return at;
    };
    const start = (lastUsedIntervalMs: number) =>
      startAccessApp(database, new ExpressAdapter(), { access: { lastUsedIntervalMs } });
    const [often, seldom] = [await start(1_000), await start(3_600_000)];
    try {
      const [first, second] = [await one.makeKey(acme.id), await one.makeKey(acme.id)];
      await Promise.all([hearing(often), hearing(seldom)]);
      expect(await statusAt(often, first.key)).toBe(200);
      expect(await statusAt(seldom, second.key)).toBe(200);
      while ((await lastUsed(first.id)) === null);
      expect(await lastUsed(second.id)).toBeNull();
      await seldom.close();
      expect(await lastUsed(second.id)).toEqual(expect.any(Date));
    } finally {
      await often.close();
      await seldom.close();
    }
  });

  it('a tenant has at most maxKeysPerTenant, however many ask for one more at once', async () => {
    const small = await startAccessApp(database, new ExpressAdapter(), { access: { maxKeysPerTenant: 3 } });
    try {
      const tenant = await small.create({ slug: 'small' });
      const tries = await Promise.allSettled(Array.from({ length: 8 }, () => small.makeKey(tenant.id)));
      const made = tries.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      const refused = tries.flatMap((each) => (each.status === 'rejected' ? [each.reason as Error] : []));
      expect([made.length, refused.length]).toEqual([3, 5]);
      for (const each of refused) expect(each).toMatchObject({ code: 'API_KEY_LIMIT', statusCode: 409 });
      await small.app.get(ApiKeys).revoke(tenant.id, made[0].id);
      await expect(small.makeKey(tenant.id)).resolves.toMatchObject({ tenantId: tenant.id });
    } finally {
      await small.close();
    }
  });

  it('while the registry is away, keys that are known go on, and others are 503', async () => {
    const { key } = await one.makeKey(acme.id);
    await hearing(other);
    expect(await statusAt(other, key)).toBe(200);
    wire.cut();
    expect(await statusAt(other, key)).toBe(200);
    await expect(other.call('GET /orders', { 'x-api-key': nobodysKey() })).resolves.toMatchObject({
      status: 503,
      body: { code: 'TENANCY_UNAVAILABLE' },
    });
    wire.restore();
    while ((await statusAt(other, nobodysKey())) !== 401);
    expect(await statusAt(other, key)).toBe(200);
  });

  it('the time of an answer does not tell a wrong secret from an unknown key', async () => {
    const rounds = 80;
    const ids = await database.query<{ id: string }>(
      `INSERT INTO tenancy.api_keys (id, tenant_id, name, hint, digest)
       SELECT gen_random_uuid(), $1, 'x', 'x', sha256(i::text::bytea) FROM generate_series(1, $2) i RETURNING id`,
      [acme.id, rounds],
    );
    await hearing(one);
    const random = new SeededRandom(1);
    const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] };
    for (let warm = 0; warm < 100; warm += 1) await statusAt(one, nobodysKey());
    for (const { id } of ids) {
      const kinds = [
        ['known', makeKey('sk', id).text],
        ['unknown', nobodysKey()],
      ] as const;
      for (const [kind, key] of random.next() < 0.5 ? kinds : [...kinds].reverse()) {
        const start = performance.now();
        expect(await statusAt(one, key)).toBe(401);
        times[kind].push(performance.now() - start);
      }
    }
    expect(Math.abs(mannWhitney(times.known, times.unknown))).toBeLessThan(5);
  });
});
