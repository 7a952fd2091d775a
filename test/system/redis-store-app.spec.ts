import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import {
  CurrentTenant,
  fromHeader,
  TenancyModule,
  type Tenant,
  TenantLifecycle,
  TenantMover,
  TenantProvisioner,
  TenantPurge,
  TenantSweeper,
} from '../../lib';
import { ApiKeys, fromApiKey, Public, TenancyAccessModule } from '../../lib/access';
import { checkStore } from '../../lib/cli/doctor/store-check';
import { Orphans } from '../../lib/provisioning/purge/orphans';
import { RedisTenantStore } from '../../lib/redis';
import { felt, hearing } from '../support/change-feed';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { writeExamples } from '../support/examples';
import { notesOptions } from '../support/notes';
import { type TestRedis, startRedis } from '../support/system/redis';
import { RecordingLogger, startTestApp, type TestApp } from '../support/test-app';

@Controller()
class WhoamiController {
  @Public()
  @Get('whoami')
  whoami(@CurrentTenant() tenant: Tenant) {
    return { slug: tenant.slug };
  }

  /** Asks for a key. */
  @Get('mine')
  mine(@CurrentTenant() tenant: Tenant) {
    return { slug: tenant.slug };
  }
}

/** Two instances whose tenants are in one Redis. Look-ups are remembered for a minute, as by default. */
describe('Two instances with their tenants in Redis', () => {
  let directory: string;
  let redis: TestRedis;
  let database: TestDatabase;
  let hands: Redis;
  let here: TestApp;
  let there: TestApp;
  let lifecycle: TenantLifecycle;

  const storeOf = () =>
    new RedisTenantStore(new Redis({ port: redis.port, lazyConnect: true, retryStrategy: () => 20 }));
  const start = (store = storeOf()) =>
    startTestApp({
      imports: [
        TenancyModule.forRoot(
          notesOptions(database, {
            store,
            resolvers: [fromApiKey(), fromHeader('x-tenant-id')],
            sweeper: { intervalMs: 0, orphanAfterMs: 0 },
          }),
        ),
        TenancyAccessModule.forRoot(),
      ],
      controllers: [WhoamiController],
    });
  const statusOf = async (app: TestApp, slug: string) => (await app.get('/whoami', slug)).status;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'redis-'));
    const settings = { dir: directory, appendonly: 'yes' };
    [redis, database] = await Promise.all([startRedis(settings), createTestDatabase()]);
    hands = new Redis(redis.port, { retryStrategy: () => 20 });
    hands.on('error', () => undefined);
    const maker = storeOf();
    await maker.createRegistry();
    maker.close();
    here = await start();
    there = await start();
    lifecycle = here.app.get(TenantLifecycle);
  });
  afterAll(async () => {
    await here?.close();
    await there?.close();
    hands?.disconnect();
    await redis?.stop();
    await database?.drop();
    await rm(directory, { recursive: true, force: true });
  });

  it('make, serve, rename, delete and purge tenants, whose schemas are in PostgreSQL', async () => {
    const { id, schemaName, status } = await here.create({ slug: 'acme', domains: ['acme.example'] });
    expect(status).toBe('active');
    expect(await statusOf(there, 'acme')).toBe(200);
    await lifecycle.update('acme', { slug: 'apex', metadata: { plan: 'gold' } });
    expect(await statusOf(here, 'acme')).toBe(404);
    await expect(here.create({ slug: 'apex' })).rejects.toMatchObject({ code: 'TENANT_SLUG_TAKEN' });
    await expect(here.app.get(TenantMover).move('apex', { server: 'eu' })).rejects.toMatchObject({
      code: 'MOVE_NOT_POSSIBLE',
    });
    await lifecycle.delete('apex');
    await expect(here.app.get(TenantPurge).purge('apex')).resolves.toMatchObject({ tenantId: id });
    expect(await database.query(`SELECT FROM pg_namespace WHERE nspname = '${schemaName}'`)).toEqual([]);
    await here.create({ slug: 'acme', domains: ['acme.example'] });
  });

  it('feel within a second what the other has changed, of tenants and of keys alike', async () => {
    const tenant = await here.create({ slug: 'globex' });
    const { key, id } = await here.app
      .get(ApiKeys)
      .create(tenant.id, { name: 'of the test', scopes: ['notes:read'] });
    const withKey = async () =>
      (await fetch(new URL('/mine', there.url), { headers: { 'x-api-key': key } })).status;
    await hearing(there);
    expect([await statusOf(there, 'globex'), await withKey()]).toEqual([200, 200]);
    await here.app.get(ApiKeys).revoke(tenant.id, id);
    expect(await felt(async () => (await withKey()) === 401)).toBeLessThan(1_000);
    await hearing(there);
    expect(await statusOf(there, 'globex')).toBe(200);
    await lifecycle.suspend('globex');
    expect(await felt(async () => (await statusOf(there, 'globex')) === 403)).toBeLessThan(1_000);
    await lifecycle.activate('globex');
  });

  it('serve on while Redis is stopped who is remembered, and others with 503; and all when it is back', async () => {
    await here.create({ slug: 'initech' });
    expect(await statusOf(there, 'acme')).toBe(200);
    await redis.stop();
    expect(await statusOf(there, 'acme')).toBe(200);
    expect(await statusOf(there, 'initech')).toBe(503);
    expect(await statusOf(there, 'nobody')).toBe(503);
    await expect(here.create({ slug: 'hooli' })).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' });
    await redis.start();
    expect(await felt(async () => (await statusOf(there, 'nobody')) === 404)).toBeLessThan(5_000);
    expect(await statusOf(there, 'initech')).toBe(200);
    await hearing(there);
  });

  it('take nobody for absent, and drop no schema, when Redis has lost everything', async () => {
    const before = await database.query(`SELECT nspname FROM pg_namespace ORDER BY 1`);
    expect(await statusOf(there, 'acme')).toBe(200);
    await hands.flushall();
    expect(await statusOf(there, 'acme')).toBe(200);
    expect(await statusOf(there, 'never-asked-for')).toBe(503);
    await expect(here.create({ slug: 'acme' })).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' });
    await expect(here.app.get(TenantSweeper).sweep()).resolves.toMatchObject({
      orphans: { dropped: [], kept: [] },
      problems: expect.arrayContaining([expect.stringContaining('not available')]),
    });
    await expect(start()).rejects.toMatchObject({ code: 'REDIS_REGISTRY_MISSING' });
    // Both say it, once; each request that fails says it besides. Nest hands their words to one logger.
    const told = there.log.errors.filter((error) => /^The registry in Redis .*: has lost/.test(error));
    expect([1, 2]).toContain(told.length);
    // Somebody does what the message warns of.
    const anew = storeOf();
    await anew.createRegistry();
    const app = await start(anew);
    const { orphans, problems } = await app.app.get(TenantSweeper).sweep();
    expect([orphans.dropped, orphans.kept.length, problems]).toEqual([[], 3, []]);
    await expect(checkStore(app.app.get(Orphans), ['default'])).resolves.toEqual([
      expect.objectContaining({ severity: 'problem', message: expect.stringContaining('3 schemas') }),
    ]);
    expect(await database.query(`SELECT nspname FROM pg_namespace ORDER BY 1`)).toEqual(before);
    await app.close();
  });

  it('are set up as docs/redis.md says', async () => {
    const examples = writeExamples('docs/quick-start.md', 'docs/redis.md');
    await hands.flushall();
    process.env.REDIS_URL = `redis://127.0.0.1:${redis.port}`;
    const own = await createTestDatabase();
    process.env.DATABASE_URL = own.url;
    const { createRegistry } = await examples.import('create-registry.ts');
    const said = jest.spyOn(console, 'log').mockImplementation();
    await createRegistry();
    await createRegistry();
    expect(said.mock.calls).toEqual([['The registry was made.'], ['There is a registry.']]);
    said.mockRestore();
    const { RedisAppModule } = await examples.import('redis-app.module.ts');
    const app = await NestFactory.create(RedisAppModule, { logger: new RecordingLogger() });
    await app.init();
    await expect(app.get(TenantProvisioner).create({ slug: 'acme' })).resolves.toMatchObject({
      status: 'active',
    });
    await app.close();
    await own.drop();
    examples.remove();
  });
});
