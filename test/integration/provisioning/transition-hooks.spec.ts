import { ConflictException, Injectable, Module, Scope } from '@nestjs/common';
import {
  OnTransition,
  type Tenant,
  TenantLifecycle,
  TenantPurge,
  type TenantStep,
  TenantSweeper,
  type TenantTransitionHook,
} from '../../../lib';
import { type ProvisioningApp, startProvisioningApp } from './app';

/** What the hooks were called with, and what the one of the options refuses; each test sets its own. */
const calls: string[] = [];
let refusal: Error | undefined;

function remember(where: string, { slug, status }: Tenant, step: TenantStep): void {
  calls.push(`${where}: ${step} ${slug}, which is ${status}`);
}

@Injectable()
@OnTransition()
class Buckets implements TenantTransitionHook {
  onTransition(tenant: Tenant, step: TenantStep): void {
    remember('class', tenant, step);
  }
}

/** A module of the application's own: the tenancy module knows nothing of it. */
@Module({ providers: [Buckets] })
class BucketsModule {}

async function ofOptions(tenant: Tenant, step: TenantStep) {
  await Promise.resolve();
  remember('function', tenant, step);
  if (refusal) throw refusal;
}

describe('hooks of transitions', () => {
  let running: ProvisioningApp;
  let lifecycle: TenantLifecycle;
  let purge: TenantPurge;

  beforeAll(async () => {
    running = await startProvisioningApp(
      { hooks: { onTransition: [ofOptions] }, sweeper: { intervalMs: 0 } },
      { imports: [BucketsModule] },
    );
    lifecycle = running.app.get(TenantLifecycle);
    purge = running.app.get(TenantPurge);
  });
  afterAll(() => running.close());
  afterEach(() => {
    calls.length = 0;
    refusal = undefined;
  });

  it('are called before each step, with the tenant as it was, those of the options first', async () => {
    await running.create({ slug: 'acme' });
    await lifecycle.suspend('acme');
    await lifecycle.activate('acme');
    await lifecycle.delete('acme');
    await lifecycle.restore('acme');
    const both = (step: string) => [`function: ${step}`, `class: ${step}`];
    expect(calls).toEqual([
      ...both('suspend acme, which is active'),
      ...both('activate acme, which is suspended'),
      ...both('delete acme, which is active'),
      ...both('restore acme, which is deleted'),
    ]);
  });

  it('are not called for a step that is not taken', async () => {
    await running.create({ slug: 'globex' });
    await lifecycle.activate('globex');
    await expect(lifecycle.restore('globex')).resolves.toMatchObject({ status: 'active' });
    await expect(purge.purge('globex')).rejects.toMatchObject({ code: 'INVALID_TRANSITION' });
    expect(calls).toEqual([]);
  });

  it('can refuse a step: it is not taken, nothing is recorded, and the hook is named', async () => {
    const { id } = await running.create({ slug: 'initech' });
    refusal = new ConflictException('there are unpaid invoices');
    await expect(lifecycle.delete('initech')).rejects.toMatchObject({
      ...{ code: 'TRANSITION_HOOK_FAILED', hook: 'ofOptions', step: 'delete', cause: refusal },
      message: expect.stringContaining('there are unpaid invoices'),
    });
    await expect(lifecycle.get('initech')).resolves.toMatchObject({ status: 'active', version: 1 });
    const events = await running.database.query(
      `SELECT type FROM tenancy.tenant_event_outbox WHERE tenant_id = $1`,
      [id],
    );
    expect(events).toEqual([{ type: 'tenant.created' }]);
  });

  it('hold a purge up until they succeed, when nothing can bring the tenant back and its schema is still there', async () => {
    const { schemaName } = await running.create({ slug: 'hooli', metadata: { bucket: 'hooli-files' } });
    await lifecycle.delete('hooli');
    calls.length = 0;
    refusal = new Error('the bucket cannot be reached');
    await expect(purge.purge('hooli')).rejects.toMatchObject({
      code: 'TRANSITION_HOOK_FAILED',
      step: 'purge',
    });
    await expect(lifecycle.restore('hooli')).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
    expect(await running.schemas()).toContain(schemaName);

    const sweeper = running.app.get(TenantSweeper);
    await expect(sweeper.sweep()).resolves.toMatchObject({
      purged: [],
      problems: [expect.stringContaining('the bucket cannot be reached')],
    });
    refusal = undefined;
    await expect(sweeper.sweep()).resolves.toMatchObject({ purged: ['hooli'], problems: [] });
    expect(await running.schemas()).not.toContain(schemaName);
    expect(calls).toEqual([
      ...Array<string>(3).fill('function: purge hooli, which is deleted'),
      'class: purge hooli, which is deleted',
    ]);
  });

  it('are not called again for a purge that was finished', async () => {
    await running.create({ slug: 'umbrella' });
    await lifecycle.delete('umbrella');
    await purge.purge('umbrella');
    calls.length = 0;
    await purge.purge('umbrella');
    expect(calls).toEqual([]);
  });
});

describe('a provider with @OnTransition()', () => {
  @Injectable({ scope: Scope.REQUEST })
  @OnTransition()
  class Scoped {
    onTransition() {}
  }

  @Injectable()
  @OnTransition()
  class Empty {}

  it.each([
    [Scoped, 'Scoped has @OnTransition(), but it, or something it injects, is request-scoped'],
    [Empty, 'Empty has @OnTransition(), but it has no method onTransition'],
  ])('fails the start when it cannot be called: %p', async (provider, message) => {
    await expect(startProvisioningApp({}, { providers: [provider] })).rejects.toThrow(message);
  });
});
