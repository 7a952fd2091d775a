import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import { Cluster, Redis } from 'ioredis';
import { type RedisClient, type RedisStoreOptions, RedisTenantStore } from '../../lib/redis';
import { runTenantStoreContract } from '../../lib/testing/tenant-store.contract';
import { type TestRedis, startRedis } from '../support/system/redis';

const AWAY = { code: 'TENANCY_UNAVAILABLE', statusCode: 503 };
const KEYS = ['registry', 'tenants', 'slugs', 'domains', 'schemas', 'order'];

const acme = {
  id: '01900000-0000-7000-8000-000000000001',
  slug: 'acme',
  name: 'Acme',
  schemaName: 't_acme',
  status: 'active',
  domains: ['acme.example'],
  metadata: {},
  templateVersion: null,
  schemaVersion: null,
} as const;
const bySlug = { by: 'slug', value: 'acme' } as const;

let directory: string;
let redis: TestRedis;
let cluster: TestRedis;
/** What the tests do behind the store's back. */
let hands: Redis;
const stores: RedisTenantStore[] = [];

/** As an application writes it; the store makes its own connections. */
const clientOf = (port: number, options: object = {}) =>
  new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => 20, ...options });

function open(client: RedisClient = clientOf(redis.port), options?: RedisStoreOptions): RedisTenantStore {
  const store = new RedisTenantStore(client, options);
  stores.push(store);
  return store;
}

async function emptied(client: RedisClient = clientOf(redis.port)): Promise<RedisTenantStore> {
  const store = open(client);
  await store.createRegistry();
  return store;
}

/** Asks until Redis has taken the store's connection again. */
async function recovered(store: RedisTenantStore): Promise<void> {
  while (
    !(await store.find(bySlug).then(
      () => true,
      () => false,
    ))
  )
    await new Promise((resolve) => setImmediate(resolve));
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'redis-'));
  const busy = { 'busy-reply-threshold': '50' };
  redis = await startRedis({ dir: directory, appendonly: 'yes', ...busy });
  cluster = await startRedis({
    'cluster-enabled': 'yes',
    'cluster-config-file': join(directory, 'nodes.conf'),
    'cluster-announce-ip': '127.0.0.1',
  });
  hands = clientOf(redis.port);
  const node = clientOf(cluster.port);
  await node.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
  while (!(await node.cluster('INFO')).includes('cluster_state:ok')) await new Promise(setImmediate);
  node.disconnect();
});
afterEach(async () => {
  for (const store of stores.splice(0)) {
    await store.changes.onModuleDestroy();
    store.close();
  }
});
afterAll(async () => {
  hands?.disconnect();
  await redis?.stop();
  await cluster?.stop();
  await rm(directory, { recursive: true, force: true });
});

runTenantStoreContract('RedisTenantStore', async () => {
  await hands.flushall();
  return emptied();
});

describe('with a keyPrefix of the client', () => {
  runTenantStoreContract('RedisTenantStore', async () => {
    await hands.flushall();
    return emptied(clientOf(redis.port, { keyPrefix: 'app:' }));
  });
});

describe('on a cluster', () => {
  let nodes: Cluster;
  beforeAll(() => {
    nodes = new Cluster([{ host: '127.0.0.1', port: cluster.port }], { lazyConnect: true });
  });

  runTenantStoreContract('RedisTenantStore', async () => {
    const node = clientOf(cluster.port);
    await node.flushall();
    node.disconnect();
    return emptied(nodes);
  });

  it('tells of changes', async () => {
    const store = open(nodes);
    const { heard, proven } = listening(store);
    await proven();
    await store.update((await store.list({ limit: 1 }))[0].id, { name: 'New' });
    await proven();
    expect(heard.slice(0, 1)).toEqual(['begun']);
    expect(heard).toHaveLength(2);
  });
});

/** What a store's feed tells, and what waits until it has told all that was changed before. */
function listening(store: RedisTenantStore) {
  const heard: string[] = [];
  store.changes.subscribe({ begun: () => void heard.push('begun'), changed: (id) => void heard.push(id!) });
  store.changes.onModuleInit();
  const proven = async () => {
    const now = performance.now();
    while (store.changes.provenAt < now) await new Promise((resolve) => setImmediate(resolve));
  };
  return { heard, proven };
}

describe('RedisTenantStore', () => {
  let store: RedisTenantStore;
  beforeEach(async () => {
    await hands.flushall();
    store = await emptied();
    await store.insert(acme);
  });

  it('keeps its keys under one hash tag, behind the prefix of the client', async () => {
    await hands.flushall();
    const other = open(clientOf(redis.port, { keyPrefix: 'app:' }), { keyPrefix: 'shops' });
    await other.createRegistry();
    await other.insert(acme, undefined, { audit: { action: 'create' } });
    expect((await hands.keys('*')).sort()).toEqual(
      [...KEYS, `audit:${acme.id}`].map((name) => `app:{shops}:${name}`).sort(),
    );
    expect(() => open(undefined, { keyPrefix: 'a}b' })).toThrow(/keyPrefix/);
  });

  it('makes a registry once, and none where parts of one are left', async () => {
    await expect(store.createRegistry()).resolves.toBe(false);
    await hands.del('{tenancy}:registry');
    await expect(open().createRegistry()).rejects.toMatchObject({ code: 'REDIS_REGISTRY_DAMAGED' });
    await hands.flushall();
    await expect(open().onModuleInit()).rejects.toMatchObject({ code: 'REDIS_REGISTRY_MISSING' });
    await expect(open().find(bySlug)).rejects.toMatchObject({ code: 'REDIS_REGISTRY_MISSING' });
    await hands.hset('{tenancy}:registry', { id: 'a', layout: '2' });
    await expect(open().onModuleInit()).rejects.toMatchObject({ code: 'REDIS_REGISTRY_LAYOUT' });
  });

  it('tells another instance of each change, in their order, and of those of nobody', async () => {
    const other = open();
    const { heard, proven } = listening(other);
    await proven();
    await store.update(acme.id, { name: 'Apex' });
    await store.update(acme.id, { name: 'Apex' }, { expected: { version: 9 } });
    await store.addDomain(acme.id, 'apex.example');
    await store.addDomain(acme.id, 'apex.example');
    const second = { ...acme, id: acme.id.replace(/1$/, '2'), slug: 'b', schemaName: 't_b', domains: [] };
    await store.insert(second);
    await store.remove(second.id);
    await proven();
    expect(heard).toEqual(['begun', acme.id, acme.id, second.id, second.id]);
  });

  it('begins anew when its line is cut, and when a change is not told', async () => {
    const { heard, proven } = listening(store);
    await proven();
    await hands.client('KILL', 'TYPE', 'pubsub');
    await proven();
    await hands.hincrby('{tenancy}:registry', 'changes', 1);
    await proven();
    await hands.hincrby('{tenancy}:registry', 'changes', 1);
    await store.update(acme.id, { name: 'Apex' });
    await proven();
    expect(heard).toEqual(['begun', 'begun', 'begun', 'begun']);
  });

  it('takes nobody for absent when Redis has lost everything, nor when it has begun anew', async () => {
    const { proven } = listening(store);
    await proven();
    await hands.flushall();
    const provenAt = store.changes.provenAt;
    const refusals = async () => {
      for (const asked of [
        store.find(bySlug),
        store.list({ limit: 1 }),
        store.insert({ ...acme, slug: 'other' }),
        store.update(acme.id, { name: 'Apex' }),
        store.addDomain(acme.id, 'b.example'),
        store.remove(acme.id),
        store.listAudit({ tenantId: acme.id, limit: 1 }),
      ])
        await expect(asked).rejects.toMatchObject(AWAY);
    };
    await refusals();
    await open().createRegistry();
    await refusals();
    expect(store.changes.provenAt).toBe(provenAt);
    await expect(open().find(bySlug)).resolves.toBeUndefined();
  });

  it.each(KEYS)('takes nobody for absent when %s has been evicted', async (name) => {
    await hands.del(`{tenancy}:${name}`);
    const { cause } = (await store
      .find({ by: 'id', value: acme.id })
      .catch((error: unknown) => error)) as Error;
    expect(cause).toMatchObject({ code: 'REDIS_REGISTRY_DAMAGED' });
    await expect(store.list({ limit: 1 })).rejects.toMatchObject(AWAY);
    await expect(store.find({ by: 'slug', value: 'nobody' })).rejects.toMatchObject(AWAY);
  });

  it.each([
    ['slug', '{"id":"x"}'],
    ['status', JSON.stringify({ ...acme, place: 'default schema', status: 'asleep' })],
    ['place', JSON.stringify({ ...acme, place: 'default' })],
    ['metadata', '[]'],
    ['id', 'null'],
    ['id', '{'],
  ])('says that a tenant cannot be read whose %s is not as it was written', async (field, text) => {
    const kept = JSON.parse((await hands.hget('{tenancy}:tenants', acme.id))!) as object;
    const spoilt = field === 'metadata' ? JSON.stringify({ ...kept, metadata: text }) : text;
    await hands.hset('{tenancy}:tenants', acme.id, spoilt);
    await expect(store.find(bySlug)).rejects.toMatchObject({
      code: 'REDIS_REGISTRY_DAMAGED',
      statusCode: 500,
    });
    await expect(store.list({ limit: 1 })).rejects.toMatchObject({ code: 'REDIS_REGISTRY_DAMAGED' });
  });

  it('keeps fields that a later version has added, and reads tenants without those that may be null', async () => {
    const kept = JSON.parse((await hands.hget('{tenancy}:tenants', acme.id))!) as Record<string, unknown>;
    delete kept.schemaVersion;
    await hands.hset('{tenancy}:tenants', acme.id, JSON.stringify({ ...kept, later: 'x' }));
    await expect(store.update(acme.id, { name: 'Apex' })).resolves.toMatchObject({ schemaVersion: null });
    expect(await hands.hget('{tenancy}:tenants', acme.id)).toContain('"later":"x"');
  });

  it('knows its scripts again after Redis has forgotten them', async () => {
    await hands.script('FLUSH');
    await expect(store.find(bySlug)).resolves.toMatchObject({ name: 'Acme' });
  });

  it('is away while a script of somebody runs too long, and back when that is killed', async () => {
    const other = clientOf(redis.port);
    const endless = other.eval('while true do end', 0).catch((error: Error) => error.message);
    while (!(await hands.ping().catch((error: Error) => error.message)).startsWith('BUSY'))
      await new Promise((resolve) => setImmediate(resolve));
    await expect(store.find(bySlug)).rejects.toMatchObject(AWAY);
    await hands.script('KILL');
    await expect(endless).resolves.toMatch(/Script killed by user/);
    await expect(store.find(bySlug)).resolves.toMatchObject({ slug: 'acme' });
    other.disconnect();
  });

  it('is away when Redis takes too long, or is full, and says so at once when it is not connected', async () => {
    const hasty = open(undefined, { timeoutMs: 100 });
    await hasty.find(bySlug);
    await hands.client('PAUSE', 300, 'ALL');
    await expect(hasty.find(bySlug)).rejects.toMatchObject(AWAY);
    await hands.ping();
    await hands.config('SET', 'maxmemory', '1');
    const refused = await store.update(acme.id, { slug: 'apex' }).catch((error: unknown) => error);
    const known = await store.find(bySlug);
    await hands.config('SET', 'maxmemory', '0');
    expect([refused, known]).toMatchObject([AWAY, { slug: 'acme' }]);
  });

  it('writes nothing later that it could not write while Redis was stopped, and has all when it is back', async () => {
    const { proven } = listening(store);
    await proven();
    // As queues ask for: its commands would wait for ever, and run when Redis is back.
    const waits = { maxRetriesPerRequest: null, retryStrategy: () => 1_000 };
    const patient = open(clientOf(redis.port, waits), { timeoutMs: 500 });
    await patient.find(bySlug);
    await redis.stop();
    await expect(store.find(bySlug)).rejects.toMatchObject(AWAY);
    await expect(patient.update(acme.id, { name: 'Apex' })).rejects.toMatchObject(AWAY);
    await expect(open().find(bySlug)).rejects.toMatchObject(AWAY);
    await redis.start();
    if (hands.status !== 'ready') await once(hands, 'ready');
    await recovered(store);
    // Redis knows the script again, by which the other has asked in vain.
    await store.addDomain(acme.id, 'b.example');
    await recovered(patient);
    await expect(store.find(bySlug)).resolves.toMatchObject({ name: 'Acme', version: 2 });
    await proven();
  });

  it('writes nothing on a replica, and proves nothing there', async () => {
    const replica = await startRedis({ replicaof: `127.0.0.1 ${redis.port}`, dir: directory });
    const there = open(clientOf(replica.port));
    await recovered(there);
    await expect(there.update(acme.id, { name: 'Apex' })).rejects.toMatchObject(AWAY);
    const { heard } = listening(there);
    const { proven } = listening(store);
    await proven();
    await proven();
    await proven();
    expect(heard).toEqual([]);
    await replica.stop();
  });

  it('warns at the start of a Redis that does not keep what it is given', async () => {
    const warned = async (settings: Readonly<Record<string, string>>) => {
      const careless = await startRedis({ dir: directory, dbfilename: 'careless.rdb', ...settings });
      const there = await emptied(clientOf(careless.port));
      const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
      await there.onModuleInit();
      const told = warn.mock.calls.map(([text]) => String(text));
      warn.mockRestore();
      await careless.stop();
      return told;
    };
    expect(await warned({ 'maxmemory-policy': 'allkeys-lru' })).toEqual([
      expect.stringContaining('allkeys-lru'),
      expect.stringContaining('keeps nothing on disk'),
    ]);
    expect(await warned({ save: '60 1' })).toEqual([expect.stringContaining('snapshots only')]);
    expect(
      await warned({ appendonly: 'yes', appenddirname: 'careful', 'maxmemory-policy': 'volatile-lru' }),
    ).toEqual([]);
  });

  it('shows no password, neither of the client nor of a login that is refused', async () => {
    await hands.config('SET', 'requirepass', 'right');
    const client = clientOf(redis.port, { password: 'geheim' });
    const refused = open(client);
    const error: unknown = await refused.find(bySlug).catch((each: unknown) => each);
    await hands.config('SET', 'requirepass', '');
    expect(error).toMatchObject({ ...AWAY, cause: { message: expect.stringContaining('WRONGPASS') } });
    for (const shown of [error, (error as Error).cause, refused])
      expect(inspect(shown, { depth: 20, showHidden: true })).not.toContain('geheim');
  });
});
