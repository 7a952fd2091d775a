import { PassThrough } from 'node:stream';
import {
  FleetDrift,
  FleetMigrator,
  TenantContext,
  TenantExport,
  TenantImport,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
  TenantTransaction,
  TenantTransactions,
} from '../../lib';
import { ApiKeys, fromApiKey, TenancyAccessModule } from '../../lib/access';
import { setting, TenancySettingsModule, TenantSettings } from '../../lib/settings';
import { type ProvisioningApp, startProvisioningApp } from './provisioning/app';

const ID = '01981bd2-0000-7000-8000-000000000000';

/** A call with these options, whatever the types say. */
type Call = (app: ProvisioningApp['app'], options: never) => unknown;

const CALLS: Readonly<Record<string, Call>> = {
  'TenantProvisioner.create()': (app, options) =>
    app.get(TenantProvisioner).create({ slug: 'broken' }, options),
  'TenantProvisioner.clone()': (app, options) => app.get(TenantProvisioner).clone('acme', 'broken', options),
  'TenantProvisioner.adopt()': (app, options) =>
    app.get(TenantProvisioner).adopt('legacy', 'broken', options),
  TenantLifecycle: (app, options) => app.get(TenantLifecycle).suspend('acme', options),
  'TenantPurge.purge()': (app, options) => app.get(TenantPurge).purge('acme', options),
  'TenantExport.export()': (app, options) =>
    app.get(TenantExport).export('acme', new PassThrough().resume(), options),
  'TenantImport.import()': (app, options) => app.get(TenantImport).import(new PassThrough().end(), options),
  FleetMigrator: (app, options) => app.get(FleetMigrator).up(options),
  'FleetDrift.check()': (app, options) => app.get(FleetDrift).check(options),
  'FleetDrift.repair()': (app, options) => app.get(FleetDrift).repair(options),
  'TenantContext.eachTenant()': (app, options) => app.get(TenantContext).eachTenant(() => undefined, options),
  'TenantTransactions.run()': (app, options) =>
    app.get(TenantTransactions).run(() => Promise.resolve(), options),
  'TenantTransaction()': (_app, options) => TenantTransaction(options),
  'ApiKeys.create()': (app, options) => app.get(ApiKeys).create(ID, { name: 'key' }, options),
  'ApiKeys.update()': (app, options) => app.get(ApiKeys).update(ID, ID, {}, options),
  'ApiKeys.rotate()': (app, options) => app.get(ApiKeys).rotate(ID, ID, options),
  'ApiKeys.block()': (app, options) => app.get(ApiKeys).block(ID, ID, options),
  'ApiKeys.unblock()': (app, options) => app.get(ApiKeys).unblock(ID, ID, options),
  'ApiKeys.revoke()': (app, options) => app.get(ApiKeys).revoke(ID, ID, options),
  'TenantSettings.list()': (app, options) => app.get(TenantSettings).list(options),
  'TenantSettings.set()': (app, options) => app.get(TenantSettings).set('size', 2, options),
  'TenantSettings.reset()': (app, options) => app.get(TenantSettings).reset('size', options),
};

describe('The options of a method', () => {
  let running: ProvisioningApp;

  beforeAll(async () => {
    running = await startProvisioningApp(
      { resolvers: [fromApiKey()] },
      {
        imports: [
          TenancyAccessModule.forRoot(),
          TenancySettingsModule.forRoot({ settings: { size: setting({ default: 1 }) } }),
        ],
      },
    );
    await running.create({ slug: 'acme' });
  });
  afterAll(() => running.close());

  /** What a call rejects with, or throws. */
  const errorOf = (name: string, options: unknown) =>
    Promise.resolve()
      .then(() => CALLS[name](running.app, options as never))
      .then(
        () => undefined,
        (error: unknown) => error,
      );
  const tenants = () =>
    running.database.query('SELECT slug, status, version FROM tenancy.tenants ORDER BY slug');

  it.each(Object.keys(CALLS))(
    'are refused by %s when they are no options, or one is not known',
    async (name) => {
      const before = await tenants();
      for (const [options, problem] of [
        ['x', 'options is a text'],
        [{ wihtin: true }, 'wihtin is no option'],
      ] as const) {
        const error = await errorOf(name, options);
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toContain(`${name} cannot work:\n- ${problem}`);
      }
      await expect(tenants()).resolves.toEqual(before);
    },
  );

  it.each([
    ['TenantProvisioner.create()', { within: 'x' }, 'within'],
    ['TenantProvisioner.create()', { within: null }, 'within'],
    ['TenantProvisioner.create()', { id: 'x' }, 'id'],
    ['TenantProvisioner.clone()', { within: {} }, 'within'],
    ['TenantProvisioner.clone()', { mask: { note: 'text' } }, 'mask'],
    ['TenantProvisioner.adopt()', { within: 1 }, 'within'],
    ['TenantProvisioner.adopt()', { force: 'no' }, 'force'],
    ['TenantLifecycle', { ifVersion: '1' }, 'ifVersion'],
    ['TenantExport.export()', { onProgress: true }, 'onProgress'],
    ['TenantExport.export()', { signal: 'stop' }, 'signal'],
    ['TenantImport.import()', { keepId: 'no' }, 'keepId'],
    ['TenantImport.import()', { limits: 5 }, 'limits'],
    ['TenantExport.export()', { without: 'files' }, 'without'],
    ['TenantImport.import()', { without: [7] }, 'without'],
    ['FleetMigrator', { afterWave: 'x' }, 'afterWave'],
    ['FleetMigrator', { wait: 'no' }, 'wait'],
    ['FleetMigrator', { percents: 50 }, 'percents'],
    ['FleetDrift.check()', { tenants: 'acme' }, 'tenants'],
    ['FleetDrift.repair()', { onProgress: 'x' }, 'onProgress'],
    ['TenantTransactions.run()', { isolation: 'READ' }, 'isolation'],
    ['TenantTransactions.run()', [], 'options'],
    ['TenantTransactions.run()', 5, 'options'],
    ['TenantTransaction()', { isolation: 'READ' }, 'isolation'],
    ['ApiKeys.create()', { manager: 'x' }, 'manager'],
    ['ApiKeys.create()', { grantedBy: 'orders:read' }, 'grantedBy'],
    ['ApiKeys.update()', { ifVersion: 1 }, 'ifVersion'],
    ['ApiKeys.revoke()', { ifVersion: 1 }, 'ifVersion'],
    ['TenantSettings.set()', { by: 'me' }, 'by'],
    ['TenantSettings.reset()', { tenant: 'acme' }, 'tenant'],
  ])('are refused by %s with %j, which names the option and what to give', async (name, options, option) => {
    const before = await tenants();
    const error = await errorOf(name, options);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(new RegExp(`cannot work:\n- ${option} is .*: (give|say) `));
    await expect(tenants()).resolves.toEqual(before);
  });

  it('may be null, as callers in JavaScript leave them out', async () => {
    const provisioner = running.app.get(TenantProvisioner);
    await expect(provisioner.create({ slug: 'plain' }, null as never)).resolves.toMatchObject({
      slug: 'plain',
    });
    await expect(running.app.get(TenantLifecycle).suspend('plain', null as never)).resolves.toMatchObject({
      status: 'suspended',
    });
  });
});
