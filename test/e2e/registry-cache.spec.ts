import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Controller, Get } from '@nestjs/common';
import {
  CurrentTenant,
  fromDomain,
  fromHeader,
  InMemoryTenantStore,
  TenancyModule,
  type TenancyOptions,
  type Tenant,
  TenantLifecycle,
  TenantLookup,
  TenantStore,
} from '../../lib';
import { TenantChangeFeed } from '../../lib/registry/changes/tenant-changes';
import { felt, hearing, shortest } from '../support/change-feed';
import { cleanEnvironment, programArguments, REPOSITORY } from '../support/commands';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { startTestApp, type TestApp } from '../support/test-app';
import { tapWire, type WireTap } from '../support/wire-tap';

@Controller('whoami')
class WhoamiController {
  @Get()
  whoami(@CurrentTenant() tenant: Tenant) {
    return { id: tenant.id, slug: tenant.slug };
  }
}

function start(database: TestDatabase, changes: Partial<TenancyOptions> = {}): Promise<TestApp> {
  const options = notesOptions(database, {
    resolvers: [fromHeader('x-tenant-id'), fromDomain()],
    ...changes,
  });
  return startTestApp({ imports: [TenancyModule.forRoot(options)], controllers: [WhoamiController] });
}

const statusOf = async (app: TestApp, headers: Record<string, string>) =>
  (await rawRequest(app.url, '/whoami', { headers })).status;

describe('What one instance changes', () => {
  let database: TestDatabase;
  let wire: WireTap;
  let here: TestApp;
  let there: TestApp;
  let lifecycle: TenantLifecycle;
  let names = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    wire = await tapWire(database.url);
    here = await start(database);
    there = await start(database, {
      database: { url: database.url, directUrl: wire.url, connectAttempts: 1 },
    });
    lifecycle = here.app.get(TenantLifecycle);
  });
  afterEach(() => wire.restore());
  afterAll(async () => {
    await here?.close();
    await there?.close();
    await wire?.close();
    await database?.drop();
  });

  const bySlug = (slug: string) => statusOf(there, { 'x-tenant-id': slug });
  const byHost = (host: string) => statusOf(there, { host });

  /** A change made on one instance, and how it shows on the other. */
  interface Change {
    /** What the other instance knows before. */
    readonly before: (slug: string) => Promise<boolean>;
    readonly make: (slug: string) => Promise<unknown>;
    readonly after: (slug: string) => Promise<boolean>;
  }

  const CHANGES: Record<string, Change> = {
    'a suspension': {
      before: async (slug) => (await bySlug(slug)) === 200,
      make: (slug) => lifecycle.suspend(slug),
      after: async (slug) => (await bySlug(slug)) === 403,
    },
    'a suspension by SQL': {
      before: async (slug) => (await bySlug(slug)) === 200,
      make: (slug) =>
        database.query(`UPDATE tenancy.tenants SET status = 'suspended' WHERE slug = $1`, [slug]),
      after: async (slug) => (await bySlug(slug)) === 403,
    },
    'a rename': {
      before: async (slug) => (await bySlug(slug)) === 200 && (await bySlug(`${slug}-new`)) === 404,
      make: (slug) => lifecycle.update(slug, { slug: `${slug}-new` }),
      after: async (slug) => (await bySlug(slug)) === 404 && (await bySlug(`${slug}-new`)) === 200,
    },
    'a domain that is added': {
      before: async (slug) => (await byHost(`${slug}.example`)) === 400,
      make: (slug) => lifecycle.addDomain(slug, `${slug}.example`),
      after: async (slug) => (await byHost(`${slug}.example`)) === 200,
    },
    'a domain that is removed': {
      before: async (slug) => (await byHost(`old.${slug}.example`)) === 200,
      make: (slug) => lifecycle.removeDomain(slug, `old.${slug}.example`),
      after: async (slug) => (await byHost(`old.${slug}.example`)) === 400,
    },
  };

  const CALM = 'while the other listens';
  const SITUATIONS: Record<string, () => void> = {
    [CALM]: () => undefined,
    'right after the other’s listener was cut and may come back': () => wire.cut(0),
    'right after the other’s listener was cut and cannot come back': () => wire.cut(),
    'right after the other’s line broke in silence': () => wire.freeze(),
  };

  // Who does not hear asks again, whatever has changed.
  const changesIn = (situation: string) =>
    Object.entries(CHANGES).filter(([what]) => situation === CALM || what.includes('suspension'));

  describe.each(Object.entries(SITUATIONS))('%s', (situation, strike) => {
    it.each(changesIn(situation))('is felt on the other within a second: %s', async (_what, change) => {
      const delay = await shortest(1_000, async () => {
        const slug = `tenant-${(names += 1)}`;
        wire.restore();
        await here.create({ slug, domains: [`old.${slug}.example`] });
        await hearing(there);
        expect(await felt(() => change.before(slug))).toBeLessThan(Infinity);
        strike();
        await change.make(slug);
        return felt(() => change.after(slug));
      });
      expect(delay).toBeLessThanOrEqual(1_000);
    });
  });

  it('is remembered for longer than a second by an instance that listens', async () => {
    await here.create({ slug: 'known' });
    await hearing(there);
    expect(await bySlug('known')).toBe(200);
    const find = jest.spyOn(there.app.get(TenantStore), 'find');
    const findMany = jest.spyOn(there.app.get(TenantStore), 'findMany');
    const until = performance.now() + 3_000;
    while (performance.now() < until) expect(await bySlug('known')).toBe(200);
    // Three times by one that does not listen. A beat may be late, on a machine that does other things, too.
    expect(find.mock.calls.length + findMany.mock.calls.length).toBeLessThanOrEqual(1);
  });

  it('is asked for again after the listener was cut, once for each tenant', async () => {
    await here.create({ slug: 'again' });
    await hearing(there);
    await bySlug('again');
    const find = jest.spyOn(there.app.get(TenantStore), 'find').mockClear();
    wire.cut(0);
    await hearing(there);
    for (let index = 0; index < 20; index += 1) await bySlug('again');
    expect(find).toHaveBeenCalledTimes(1);
  });
});

describe('An application', () => {
  let database: TestDatabase;
  let wire: WireTap;

  beforeEach(async () => {
    database = await createTestDatabase();
    wire = await tapWire(database.url);
  });
  afterEach(async () => {
    await wire.close();
    await database.drop();
  });

  it('serves known tenants on while the registry is away, for the declared time; others get 503', async () => {
    const app = await start(database, {
      database: { url: wire.url, connectAttempts: 1 },
      cache: { staleIfErrorMs: 5_000 },
    });
    try {
      for (const slug of ['acme', 'globex']) await app.create({ slug });
      // Who is told of a change afterwards has to ask again.
      await hearing(app);
      expect((await app.get('/whoami', 'acme')).status).toBe(200);
      await hearing(app);
      wire.cut();
      const start = performance.now();
      const elapsed = () => performance.now() - start;
      for (const slug of ['globex', 'nobody', "o'neil"]) {
        expect(await app.get('/whoami', slug)).toMatchObject({
          status: 503,
          body: { code: 'TENANCY_UNAVAILABLE' },
        });
      }
      while (elapsed() < 2_000) expect((await app.get('/whoami', 'acme')).status).toBe(200);
      expect(await felt(async () => (await app.get('/whoami', 'acme')).status === 503)).toBeLessThan(5_000);
      wire.restore();
      for (const slug of ['acme', 'globex']) {
        expect(await felt(async () => (await app.get('/whoami', slug)).status === 200)).toBeLessThan(5_000);
      }
    } finally {
      await app.close();
    }
  });

  it('does not start while nobody answers where it would listen, waits for it, and is closed with nothing left open', async () => {
    const direct = { url: database.url, directUrl: wire.url, connectRetryDelayMs: 10 };
    wire.cut();
    await expect(start(database, { database: { ...direct, connectAttempts: 1 } })).rejects.toMatchObject({
      code: 'TENANCY_UNAVAILABLE',
    });
    wire.cut(2);
    const app = await start(database, {
      database: { ...direct, connectAttempts: 3 },
    });
    try {
      expect(app.log.warnings).toEqual(
        [1, 2].map(() => expect.stringContaining('PostgreSQL does not answer')),
      );
      await app.create({ slug: 'acme' });
      expect((await app.get('/whoami', 'acme')).status).toBe(200);
      await hearing(app);
    } finally {
      await app.close();
    }
    const backends = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;
    expect(await felt(async () => (await database.query(backends)).length === 0)).toBeLessThan(5_000);
  });

  it('ends by itself, as a script does that forgets to close it, though it listens', async () => {
    const program = join(REPOSITORY, 'test/support/unclosed-program.ts');
    const { stdout } = await promisify(execFile)(process.execPath, programArguments(program, database.url), {
      cwd: REPOSITORY,
      env: cleanEnvironment(),
      timeout: 25_000,
    });
    expect(stdout).toBe('heard\n');
  });

  it('listens to nobody with a store of its own', async () => {
    const app = await start(database, { store: new InMemoryTenantStore() });
    const listeners = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'`;
    expect(app.app.get(TenantChangeFeed).provenAt).toBe(-Infinity);
    expect(await database.query(listeners)).toEqual([]);
    await app.close();
  });

  it('asks the registry no more often than it says, and grows no further, for 10,000 unknown names in a second', async () => {
    const app = await start(database, {
      database: { url: wire.url, connectAttempts: 1 },
      cache: { maxEntries: 1_000 },
    });
    try {
      await app.create({ slug: 'acme' });
      await app.get('/whoami', 'acme');
      const lookup = app.app.get(TenantLookup);
      const names = Array.from({ length: 10_000 }, (_, index) => ({
        by: 'slug' as const,
        value: index % 2 ? `nobody-${index}` : `No ${index}`,
      }));
      wire.reset();
      const start = performance.now();
      const answers: Promise<unknown>[] = [];
      for (const [index, name] of names.entries()) {
        answers.push(lookup.find(name));
        if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
        expect(lookup.size.waiting).toBeLessThanOrEqual(10_500);
        while (performance.now() - start < index / 10) await new Promise((resolve) => setImmediate(resolve));
      }
      const known = performance.now();
      expect((await app.get('/whoami', 'acme')).status).toBe(200);
      expect(performance.now() - known).toBeLessThan(5_000);
      expect(new Set(await Promise.all(answers))).toEqual(new Set([undefined]));
      const seconds = (performance.now() - start) / 1_000;
      // Those of the lookup, and two beats a second of the feed.
      expect(wire.roundTrips).toBeLessThanOrEqual(250 + (250 + 2) * seconds + 5);
      expect(lookup.size).toEqual({ tenants: 1, absent: 1_000, waiting: 0 });
    } finally {
      await app.close();
    }
  });
});
