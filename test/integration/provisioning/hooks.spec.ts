import { PassThrough } from 'node:stream';
import { Injectable, Module, Scope } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import {
  OnProvision,
  type ProvisionHook,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantEvents,
  TenantExport,
  TenantImport,
  TenantLifecycle,
  type TenantOrigin,
  TenantProvisioner,
  type TenantProvisionHook,
  TenantStore,
} from '../../../lib';
import { InMemoryTenantStore } from '../../../lib/registry/store/in-memory-tenant.store';
import { Note } from '../../support/notes';
import { type ProvisioningApp, startProvisioningApp } from './app';

/** What the hooks of the moment do; each test sets its own. */
const plan: { hook?: ProvisionHook; inject?: (connection: TenantConnection, tenant: Tenant) => unknown } = {};

@Injectable()
@OnProvision()
class Welcome implements TenantProvisionHook {
  constructor(private readonly connection: TenantConnection) {}

  async onProvision(tenant: Tenant): Promise<void> {
    await plan.inject?.(this.connection, tenant);
  }
}

/** A module of the application's own: the tenancy module knows nothing of it. */
@Module({ providers: [Welcome] })
class WelcomeModule {}

async function planned(tenant: Tenant, manager: EntityManager, origin: TenantOrigin) {
  await plan.hook?.(tenant, manager, origin);
}

describe('hooks of provisioning', () => {
  let running: ProvisioningApp;

  beforeAll(async () => {
    running = await startProvisioningApp(
      { hooks: { onProvision: [planned] }, database: { poolSize: 3 } },
      { imports: [WelcomeModule] },
    );
  });
  afterAll(() => running.close());
  afterEach(() => {
    delete plan.hook;
    delete plan.inject;
  });

  async function state() {
    const [{ rows }] = await running.database.query<{ rows: string }>(
      'SELECT count(*) AS rows FROM tenancy.tenants',
    );
    return { rows, schemas: await running.schemas() };
  }

  const notes = (tenant: Tenant) =>
    running.database.query<{ text: string }>(`SELECT text FROM ${tenant.schemaName}.note ORDER BY id`);

  it('run for the new tenant, in its transaction: by the manager, and by whatever is injected', async () => {
    plan.hook = async (tenant, manager, origin) => {
      expect(origin).toBe('create');
      expect(running.app.get(TenantContext).tenant()).toEqual(tenant);
      await manager.save(Note, { text: `manager of ${tenant.slug}` });
      await manager.transaction((inner) => inner.query(`INSERT INTO note (text) VALUES ('nested')`));
      // Others do not see it yet.
      await expect(
        running.app.get(TenantStore).find({ by: 'slug', value: tenant.slug }),
      ).resolves.toBeUndefined();
    };
    plan.inject = async (connection) => {
      await expect(connection.getRepository(Note).count()).resolves.toBe(2);
      await connection.getRepository(Note).save({ text: 'repository' });
    };
    const tenant = await running.create({ slug: 'acme' });
    await expect(notes(tenant)).resolves.toEqual([
      { text: 'manager of acme' },
      { text: 'nested' },
      { text: 'repository' },
    ]);
  });

  it.each([
    ['throws', 'planned', () => Promise.reject(new Error('no bucket')), 'no bucket'],
    [
      'sends a statement that fails',
      'planned',
      (_tenant: Tenant, manager: EntityManager) => manager.query('SELECT * FROM nowhere'),
      'relation "nowhere" does not exist',
    ],
    [
      'swallows the failure of a statement',
      'planned',
      (_tenant: Tenant, manager: EntityManager) =>
        manager.query('SELECT * FROM nowhere').catch(() => undefined),
      'one of its statements failed, and it went on',
    ],
    [
      'rolls back',
      'planned',
      (_tenant: Tenant, manager: EntityManager) => manager.query('ROLLBACK'),
      'it ended the transaction that it was given',
    ],
    [
      'commits',
      'planned',
      (_tenant: Tenant, manager: EntityManager) => manager.query('COMMIT'),
      'it ended the transaction that it was given',
    ],
  ])(
    'roll the creation back when one %s, and are named',
    async (_what, name, hook: ProvisionHook, message) => {
      plan.hook = hook;
      const before = await state();
      await expect(running.create({ slug: 'broken', domains: ['broken.example'] })).rejects.toMatchObject({
        code: 'PROVISION_HOOK_FAILED',
        hook: name,
        message: expect.stringMatching(new RegExp(`"${name}".*${message}`)),
      });
      await expect(state()).resolves.toEqual(before);
      delete plan.hook;
      await expect(running.create({ slug: `after-${++count}` })).resolves.toMatchObject({ status: 'active' });
    },
  );
  let count = 0;

  it('name the class whose method fails', async () => {
    plan.inject = (connection) => connection.query('SELECT 1/0').catch(() => undefined);
    await expect(running.create({ slug: 'broken' })).rejects.toMatchObject({
      hook: 'Welcome',
      message: expect.stringContaining('one of its statements failed, and it went on'),
    });
    plan.inject = () => {
      throw new Error('no mail domain');
    };
    await expect(running.create({ slug: 'broken' })).rejects.toMatchObject({ hook: 'Welcome' });
  });

  it('may create another tenant, which stays when this one fails', async () => {
    plan.hook = async ({ slug }) => {
      if (slug !== 'outer') return;
      await running.create({ slug: 'inner' });
      throw new Error('no');
    };
    await expect(running.create({ slug: 'outer' })).rejects.toMatchObject({ hook: 'planned' });
    await expect(running.app.get(TenantLifecycle).get('inner')).resolves.toMatchObject({ status: 'active' });
  });

  it('know whether the tenant was created, cloned or adopted', async () => {
    const origins: TenantOrigin[] = [];
    plan.hook = (_tenant, _manager, origin) => origins.push(origin);
    const provisioner = running.app.get(TenantProvisioner);
    await provisioner.create({ slug: 'first' });
    await provisioner.clone('first', 'second');
    await running.database.query(
      'CREATE SCHEMA legacy; CREATE TABLE legacy.note (id serial PRIMARY KEY, text varchar NOT NULL)',
    );
    await provisioner.adopt('legacy', 'third');
    expect(origins).toEqual(['create', 'clone', 'adopt']);
    plan.hook = () => Promise.reject(new Error('no'));
    await running.database.query(
      'CREATE SCHEMA older; CREATE TABLE older.note (id serial PRIMARY KEY, text varchar NOT NULL)',
    );
    await expect(provisioner.adopt('older', 'fourth')).rejects.toMatchObject({ hook: 'planned' });
    await expect(running.database.query('SELECT FROM older.note')).resolves.toEqual([]);
  });
});

describe('events', () => {
  let running: ProvisioningApp;
  beforeAll(async () => {
    running = await startProvisioningApp();
  });
  afterAll(() => running.close());

  it('tell of each step, after it is committed', async () => {
    const events = running.app.get(TenantEvents);
    const heard: string[] = [];
    events.on('created', async ({ slug }) => {
      await expect(running.app.get(TenantLifecycle).get(slug)).resolves.toMatchObject({ slug });
      heard.push(`created ${slug}`);
    });
    await running.create({ slug: 'acme' });
    await expect(running.create({ slug: 'acme' })).rejects.toMatchObject({ code: 'TENANT_SLUG_TAKEN' });
    expect(heard).toEqual(['created acme']);
  });

  it('tell how a tenant came to be', async () => {
    const { app, database } = running;
    const heard: string[] = [];
    const stop = app.get(TenantEvents).on('created', ({ slug }, origin) => heard.push(`${slug}: ${origin}`));
    const provisioner = app.get(TenantProvisioner);
    await provisioner.create({ slug: 'first' });
    await provisioner.clone('first', 'second');
    await database.query(
      'CREATE SCHEMA legacy; CREATE TABLE legacy.note (id serial PRIMARY KEY, text varchar NOT NULL)',
    );
    await provisioner.adopt('legacy', 'third');
    const file = new PassThrough();
    await Promise.all([
      app.get(TenantExport).export('first', file),
      app.get(TenantImport).import(file, { slug: 'fourth' }),
    ]);
    stop();
    expect(heard).toEqual(['first: create', 'second: clone', 'third: adopt', 'fourth: import']);
  });

  it('are told to the others when one listener fails, which the log names, and until a listener has had enough', async () => {
    const events = running.app.get(TenantEvents);
    const heard: string[] = [];
    const listener = ({ slug }: Tenant) => heard.push(slug);
    const stops = [
      events.on('created', () => Promise.reject(new Error('broken'))),
      events.on('created', listener),
      events.on('created', listener),
    ];
    await running.create({ slug: 'globex' });
    expect(heard).toEqual(['globex', 'globex']);
    expect(running.log.errors).toContainEqual(
      expect.stringContaining('"created" failed for the tenant "globex"'),
    );
    stops[1]();
    await running.create({ slug: 'initech' });
    expect(heard).toEqual(['globex', 'globex', 'initech']);
    stops.forEach((stop) => stop());
  });
});

describe('with a store outside the database', () => {
  it('a tenant is provisioning until its schema is committed, and a failing hook leaves no row', async () => {
    const store = new InMemoryTenantStore();
    const seen: unknown[] = [];
    const running = await startProvisioningApp({
      store,
      hooks: {
        onProvision: [
          async ({ slug }) => {
            seen.push((await store.find({ by: 'slug', value: slug }))?.status);
            if (slug === 'broken') throw new Error('no');
          },
        ],
      },
    });
    await expect(running.create({ slug: 'acme' })).resolves.toMatchObject({ status: 'active' });
    await expect(running.create({ slug: 'broken' })).rejects.toMatchObject({ hook: 'hooks.onProvision[0]' });
    expect(seen).toEqual(['provisioning', 'provisioning']);
    await expect(store.list({ limit: 10 })).resolves.toMatchObject([{ slug: 'acme', status: 'active' }]);
    await expect(running.schemas()).resolves.toHaveLength(1);
    await running.close();
  });
});

describe('a provider with @OnProvision()', () => {
  @Injectable({ scope: Scope.REQUEST })
  @OnProvision()
  class Scoped {
    onProvision() {}
  }

  @Injectable()
  @OnProvision()
  class Empty {}

  it.each([
    [Scoped, 'Scoped has @OnProvision(), but it, or something it injects, is request-scoped'],
    [Empty, 'Empty has @OnProvision(), but it has no method onProvision'],
  ])('fails the start when it cannot be called: %p', async (provider, message) => {
    await expect(startProvisioningApp({}, { providers: [provider] })).rejects.toThrow(message);
  });
});
