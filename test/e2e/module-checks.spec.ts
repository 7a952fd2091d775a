import { readFileSync } from 'node:fs';
import { Controller, Get, Global, Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { LazyModuleLoader, NestFactory } from '@nestjs/core';
import { Column, Entity, EntitySchema, ManyToOne, PrimaryGeneratedColumn, type Repository } from 'typeorm';
import {
  credentialResolver,
  fromPath,
  InjectTenantRepository,
  stripTenantPath,
  type TenancyOptions,
  TenancyModule,
  TenantConnection,
  TenantContext,
  type TenantResolver,
} from '../../lib';
import { ApiKeys, fromApiKey, TenancyAccessModule } from '../../lib/access';
import { TenancyAdminModule } from '../../lib/admin';
import { TenancyBullmqModule } from '../../lib/bullmq';
import { fromJwtClaim } from '../../lib/jwt';
import { TenancyObservabilityModule } from '../../lib/observability';
import { feature, RequireFeature, TenancySettingsModule } from '../../lib/settings';
import { RateLimitWeight, TenancyThrottlingModule } from '../../lib/throttling';
import { TenancyTransportsModule } from '../../lib/transports';
import { Metered, TenancyUsageModule } from '../../lib/usage';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { ADAPTERS, MASTER_KEY } from '../support/sample-app';
import { rawRequest } from '../support/raw-request';
import { RecordingLogger, startTestApp, type TestApp } from '../support/test-app';

const masterKey = MASTER_KEY;
const SECRET = 'a secret of at least thirty-two bytes';
const limits = { plans: { free: {} }, defaultPlan: 'free' };

/** An option that nobody has. */
const misspelled = <T>(options: object): T => options as T;

describe('A module of ours', () => {
  let database: TestDatabase;
  const apps: TestApp[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
  });
  afterAll(() => database.drop());

  const tenancy = (changes: Partial<TenancyOptions> = {}) =>
    TenancyModule.forRoot(notesOptions(database, changes));

  const start = async (...imports: NonNullable<ModuleMetadata['imports']>): Promise<TestApp> => {
    const app = await startTestApp({ imports });
    apps.push(app);
    return app;
  };

  /** What a start fails over. Nothing is listening, so there is nothing to be closed. */
  async function failure(imports: ModuleMetadata['imports']): Promise<unknown> {
    @Module({ imports })
    class AppModule {}
    return NestFactory.create(AppModule, { logger: new RecordingLogger(), abortOnError: false }).then(
      () => 'it started',
      (error: unknown) => error,
    );
  }

  it.each<[string, () => NonNullable<ModuleMetadata['imports']>]>([
    ['TenancyAccessModule', () => [TenancyAccessModule.forRoot()]],
    ['TenancyAdminModule', () => [TenancyAdminModule.forRoot({ masterKey })]],
    ['TenancyBullmqModule', () => [TenancyBullmqModule.forRoot()]],
    ['TenancyObservabilityModule', () => [TenancyObservabilityModule.forRoot({})]],
    ['TenancySettingsModule', () => [TenancySettingsModule.forRoot({ settings: {} })]],
    ['TenancyThrottlingModule', () => [TenancyThrottlingModule.forRoot(limits)]],
    ['TenancyTransportsModule', () => [TenancyTransportsModule.forRoot()]],
    ['TenancyUsageModule', () => [TenancyUsageModule.forRoot()]],
  ])(
    'says that it needs TenancyModule, alone and in an application of many modules: %s',
    async (name, imports) => {
      @Global()
      @Module({})
      class ConfigModule {}
      @Module({ imports: [ConfigModule] })
      class ShopModule {}

      const missing = {
        code: 'MODULE_MISSING',
        message: `${name} needs TenancyModule, which the application does not import: add TenancyModule.forRoot(…) to the imports of its root module.`,
      };
      await expect(failure(imports())).resolves.toMatchObject(missing);
      await expect(failure([ShopModule, ...imports()])).resolves.toMatchObject(missing);
      await expect(failure([...imports(), ShopModule])).resolves.toMatchObject(missing);
    },
  );

  it.each<[string, () => NonNullable<ModuleMetadata['imports']>]>([
    ['TenancyModule', () => [tenancy(), tenancy({ fallbackTenant: 'acme' })]],
    ['TenancyModule', () => [tenancy(), TenancyModule]],
    ['TenancyAdminModule', () => [tenancy(), ...[1, 2].map(() => TenancyAdminModule.forRoot({ masterKey }))]],
    [
      'TenancyUsageModule',
      () => [tenancy(), TenancyUsageModule.forRoot(), TenancyUsageModule.forRoot(limits)],
    ],
  ])('says that it was imported twice: %s', async (name, imports) => {
    await expect(failure(imports())).resolves.toMatchObject({
      code: 'MODULE_IMPORTED_TWICE',
      message: expect.stringContaining(`${name} is imported 2 times.`),
    });
  });

  it.each<[string, () => NonNullable<ModuleMetadata['imports']>]>([
    ['TenancyModule', () => [TenancyModule]],
    ['TenancyModule', () => [TenancyAccessModule.forRoot(), TenancyModule]],
    ['TenancyModule', () => [TenancyModule, TenancyAdminModule.forRoot({ masterKey })]],
    ['TenancyAccessModule', () => [tenancy({ resolvers: [fromApiKey()] }), TenancyAccessModule]],
    ['TenancyBullmqModule', () => [tenancy(), TenancyBullmqModule]],
    ['TenancyObservabilityModule', () => [tenancy(), TenancyObservabilityModule]],
    ['TenancySettingsModule', () => [tenancy(), TenancySettingsModule]],
    ['TenancyThrottlingModule', () => [tenancy(), TenancyThrottlingModule]],
    ['TenancyTransportsModule', () => [tenancy(), TenancyTransportsModule]],
    ['TenancyUsageModule', () => [tenancy(), TenancyUsageModule]],
  ])('says that it has no options: %s', async (name, imports) => {
    await expect(failure(imports())).resolves.toMatchObject({
      code: 'MODULE_WITHOUT_OPTIONS',
      message: expect.stringContaining(`${name} is imported by its name alone, without options`),
    });
  });

  it.each<[string, () => Parameters<LazyModuleLoader['load']>[0]]>([
    ['TenancyUsageModule', () => () => TenancyUsageModule.forRoot()],
    ['TenancySettingsModule', () => () => TenancySettingsModule.forRoot({ settings: {} })],
    ['TenancyAccessModule', () => () => TenancyAccessModule.forRoot()],
    ['TenancyAdminModule', () => () => TenancyAdminModule.forRoot({ masterKey })],
    ['TenancyThrottlingModule', () => () => TenancyThrottlingModule.forRoot(limits)],
  ])('says that it is loaded too late, by name, and what to do: %s', async (name, load) => {
    const { app } = await start(tenancy());
    @Module({ imports: [(await load()()) as never] })
    class ReportsModule {}
    const loader = app.get(LazyModuleLoader);
    for (const module of [load(), () => ReportsModule])
      await expect(loader.load(module)).rejects.toMatchObject({
        code: 'MODULE_LOADED_LATE',
        message: expect.stringContaining(`Import ${name}.forRoot(…) in the root module`),
      });
  });

  it('gives repositories to a lazy module of the application', async () => {
    const { app } = await start(tenancy());
    @Injectable()
    class Reports {
      constructor(@InjectTenantRepository(Note) readonly notes: Repository<Note>) {}
    }
    @Module({ imports: [TenancyModule.forFeature([Note])], providers: [Reports] })
    class ReportsModule {}
    const loaded = await app.get(LazyModuleLoader).load(() => ReportsModule);
    expect(loaded.get(Reports).notes.metadata.target).toBe(Note);
  });

  it('takes a subclass of a module for the module', async () => {
    class Settings extends TenancySettingsModule {}
    await expect(start(tenancy(), Settings.forRoot({ settings: {} }))).resolves.toBeDefined();
  });

  it('has nothing printed but what it says when it is imported twice, nor by two applications of one process', async () => {
    const said: string[] = [];
    // What Nest's own modules say before an application has a logger goes to the console.
    for (const stream of [process.stdout, process.stderr])
      jest.spyOn(stream, 'write').mockImplementation((text) => said.push(String(text)) > 0);
    try {
      await failure([tenancy(), tenancy()]);
      const running = [await start(tenancy()), await start(tenancy())];
      expect(running.map(({ log }) => log.warnings)).toEqual([[], []]);
    } finally {
      jest.restoreAllMocks();
    }
    expect(said).toEqual([]);
  });

  it.each([
    ['usage', 'TenancyUsageModule'],
    ['apiKeys', 'TenancyAccessModule'],
    ['settings', 'TenancySettingsModule'],
    ['webhooks', 'TenancyWebhooksModule'],
  ])('says which one an option of the admin API needs: %s', async (option, needed) => {
    await expect(
      failure([tenancy(), TenancyAdminModule.forRoot({ masterKey, [option]: true })]),
    ).resolves.toMatchObject({
      code: 'MODULE_MISSING',
      message: expect.stringContaining(`TenancyAdminModule.forRoot({ ${option}: true }) needs ${needed},`),
    });
  });

  it('names all that are missing at once', async () => {
    await expect(
      failure([tenancy(), TenancyAdminModule.forRoot({ masterKey, apiKeys: true, usage: true })]),
    ).resolves.toMatchObject({
      code: 'MODULE_MISSING',
      message:
        'TenancyAdminModule.forRoot({ usage: true }) needs TenancyUsageModule and TenancyAdminModule.forRoot({ apiKeys: true }) needs ' +
        'TenancyAccessModule, which the application does not import: add TenancyUsageModule.forRoot(…) and ' +
        'TenancyAccessModule.forRoot(…) to the imports of its root module.',
    });
  });

  describe.each([
    [
      '@RateLimitWeight()',
      RateLimitWeight(2),
      'TenancyThrottlingModule',
      TenancyThrottlingModule.forRoot(limits),
    ],
    ['@Metered()', Metered('calls'), 'TenancyUsageModule', TenancyUsageModule.forRoot()],
    [
      '@RequireFeature()',
      RequireFeature('export'),
      'TenancySettingsModule',
      TenancySettingsModule.forRoot({ settings: { export: feature() } }),
    ],
  ])('says which one a decorator needs: %s', (name, decorator, needed, module) => {
    @Controller()
    class OfMethod {
      @Get()
      @decorator
      list() {
        return [];
      }
    }
    @Controller()
    @decorator
    class OfClass {
      @Get()
      list() {
        return [];
      }
    }

    it.each([OfMethod, OfClass])('%p', async (controller) => {
      @Module({ controllers: [controller] })
      class ShopModule {}
      await expect(failure([tenancy(), ShopModule])).resolves.toMatchObject({
        code: 'MODULE_MISSING',
        message: `${name} needs ${needed}, which the application does not import: add ${needed}.forRoot(…) to the imports of its root module.`,
      });
      await start(tenancy(), ShopModule, module);
    });
  });

  it.each<[string, () => NonNullable<ModuleMetadata['imports']>, string, string]>([
    [
      'TenancyModule',
      () => [tenancy(misspelled({ fallbackTennant: 'acme' }))],
      'TENANCY_OPTIONS_INVALID',
      'fallbackTennant is no option: did you mean fallbackTenant?',
    ],
    [
      'a group of it',
      () => [tenancy({ database: misspelled({ url: database.url, poolsize: 5 }) })],
      'TENANCY_OPTIONS_INVALID',
      'database.poolsize is no option: did you mean poolSize?',
    ],
    [
      'TenancyAdminModule',
      () => [tenancy(), TenancyAdminModule.forRoot(misspelled({ masterkey: masterKey }))],
      'ADMIN_OPTIONS_INVALID',
      'masterkey is no option: did you mean masterKey?',
    ],
    [
      'TenancyAccessModule',
      () => [
        tenancy({ resolvers: [fromApiKey()] }),
        TenancyAccessModule.forRoot(misspelled({ cache: { ttl: 5 }, prefx: 'sk' })),
      ],
      'INVALID_ACCESS_OPTIONS',
      'prefx is no option: did you mean prefix?',
    ],
    [
      'TenancyAccessModule, of what it consists',
      () => [
        tenancy({ resolvers: [fromApiKey()] }),
        TenancyAccessModule.forRoot(misspelled({ rotues: false })),
      ],
      'INVALID_ACCESS_OPTIONS',
      'rotues is no option: did you mean routes?',
    ],
    [
      'TenancyAccessModule, given by a factory too late',
      () => [
        tenancy({ resolvers: [fromApiKey()] }),
        TenancyAccessModule.forRootAsync({ useFactory: () => misspelled({ routes: false }) }),
      ],
      'INVALID_ACCESS_OPTIONS',
      'routes is given too late, by a factory: give it beside imports, inject and useFactory',
    ],
    [
      'TenancyBullmqModule',
      () => [tenancy(), TenancyBullmqModule.forRoot(misspelled({ holdMin: 5 }))],
      'BULLMQ_OPTIONS_INVALID',
      'holdMin is no option: did you mean holdMinMs?',
    ],
    [
      'TenancyTransportsModule',
      () => [tenancy(), TenancyTransportsModule.forRoot(misspelled({ tenatOf: () => undefined }))],
      'TRANSPORTS_OPTIONS_INVALID',
      'tenatOf is no option: did you mean tenantOf?',
    ],
    [
      'TenancyUsageModule',
      () => [tenancy(), TenancyUsageModule.forRoot(misspelled({ ...limits, flushInterval: 1_000 }))],
      'USAGE_OPTIONS_INVALID',
      'flushInterval is no option: did you mean flushIntervalMs?',
    ],
    [
      'TenancyThrottlingModule',
      () => [tenancy(), TenancyThrottlingModule.forRoot(misspelled({ ...limits, planof: () => 'free' }))],
      'THROTTLING_OPTIONS_INVALID',
      'planof is no option: did you mean planOf?',
    ],
    [
      'TenancyObservabilityModule',
      () => [tenancy(), TenancyObservabilityModule.forRoot(misspelled({ span: true }))],
      'OBSERVABILITY_OPTIONS_INVALID',
      'span is no option: did you mean spans?',
    ],
    [
      'TenancySettingsModule',
      () => [
        tenancy(),
        TenancySettingsModule.forRoot(
          misspelled({ settings: { theme: { default: 'x', tennant: 'read', isFeature: false } } }),
        ),
      ],
      'SETTINGS_INVALID',
      'theme.tennant is no option: did you mean tenant?',
    ],
  ])('says which option is misspelled: of %s', async (_module, imports, code, said) => {
    await expect(failure(imports())).resolves.toMatchObject({ code, message: expect.stringContaining(said) });
  });

  it.each<[string, () => unknown, string]>([
    [
      'fromJwtClaim()',
      () => fromJwtClaim(misspelled({ claim: 'tenant', secret: SECRET, audence: 'shop' })),
      'audence is no option: did you mean audience?',
    ],
    [
      'fromApiKey()',
      () => fromApiKey(misspelled({ headr: 'x-key' })),
      'headr is no option: did you mean header?',
    ],
    ['fromPath()', () => fromPath(misspelled({ prefx: '/t' })), 'prefx is no option: did you mean prefix?'],
    ['stripTenantPath()', () => stripTenantPath(misspelled({ p: '/t' })), 'p is no option: leave it out'],
  ])('says which option of a resolver is misspelled: %s', (_function, make, said) => {
    expect(make).toThrow(said);
  });

  it('says that fromApiKey() needs TenancyAccessModule', async () => {
    await expect(failure([tenancy({ resolvers: [fromApiKey()] })])).resolves.toMatchObject({
      code: 'ACCESS_MODULE_MISSING',
      message: expect.stringContaining('fromApiKey() needs TenancyAccessModule.forRoot()'),
    });
  });

  describe('for keys and principals', () => {
    it('says that nobody reads them, since every request would be refused', async () => {
      await expect(failure([tenancy(), TenancyAccessModule.forRoot()])).resolves.toMatchObject({
        code: 'CREDENTIALS_UNREAD',
        message: expect.stringContaining('Put fromApiKey() among the resolvers'),
      });
    });

    const tokens = () => tenancy({ resolvers: [fromJwtClaim({ claim: 'tenant', secret: SECRET })] });

    it('warns of keys that can be made and not used', async () => {
      const { log } = await start(tokens(), TenancyAccessModule.forRoot());
      expect(log.warnings).toEqual([expect.stringContaining('Put fromApiKey() among the resolvers')]);
    });

    const resolving = (resolver: TenantResolver) =>
      start(tenancy({ resolvers: [resolver] }), TenancyAccessModule.forRoot());

    it('lets a resolver of the user ask fromApiKey(), and says nothing when it says so itself', async () => {
      const keys = fromApiKey();
      const { app, log, url, create } = await resolving(
        credentialResolver((request) => keys(request), { vary: ['x-api-key'], reads: 'api_key' }),
      );
      expect(log.warnings).toEqual([]);
      const { id } = await create({ slug: 'wrapped' });
      const { key } = await app.get(ApiKeys).create(id, { name: 'wrapped' });
      const me = (apiKey: string) => rawRequest(url, '/me', { headers: { 'x-api-key': apiKey } });
      await expect(me(key)).resolves.toMatchObject({ status: 200, body: { tenantId: id } });
      await expect(me('sk_wrong')).resolves.toMatchObject({ status: 401 });
    });

    it('warns where it cannot know whether a resolver of the user reads them', async () => {
      const keys = fromApiKey();
      const { log } = await resolving((request) => keys(request));
      expect(log.warnings).toEqual([expect.stringContaining("{ reads: 'api_key' }")]);
    });

    it('has nothing to say where there are none, or both', async () => {
      const withoutKeys = await start(tokens(), TenancyAccessModule.forRoot({ routes: false }));
      expect(withoutKeys.log.warnings).toEqual([]);
      await withoutKeys.close();
      const resolvers = [fromApiKey(), fromJwtClaim({ claim: 'tenant', secret: SECRET })];
      const both = await start(tenancy({ resolvers }), TenancyAccessModule.forRoot());
      expect(both.log.warnings).toEqual([]);
    });
  });

  it('says that forFeature() needs TenancyModule.forRoot()', async () => {
    await expect(failure([TenancyModule.forFeature([Note])])).resolves.toMatchObject({
      code: 'MODULE_MISSING',
      message: expect.stringContaining('TenancyModule.forFeature() needs TenancyModule,'),
    });
  });

  it('is told by Nest of a repository that forFeature() does not name, as docs/errors.md says', async () => {
    @Injectable()
    class NotesService {
      constructor(@InjectTenantRepository(Note) readonly notes: Repository<Note>) {}
    }
    @Module({ providers: [NotesService] })
    class NotesModule {}
    const said = (await failure([tenancy(), NotesModule])) as Error;
    const told = readFileSync('docs/errors.md', 'utf8');
    const [, ending] = /told by Nest, which ends with `(.*)`/.exec(told)!;
    const [, argument] = /^- `"(.*)"`: the service has `@InjectTenantRepository/m.exec(told)!;
    expect(said.message).toContain(ending.replace('…', argument.replace('Order', 'Note')));
    await start(tenancy(), { module: NotesModule, imports: [TenancyModule.forFeature([Note])] });
  });

  it('says which entity is not listed', async () => {
    @Entity()
    class Invoice {
      @PrimaryGeneratedColumn()
      id!: number;
      @Column()
      text!: string;
    }
    const Receipt = new EntitySchema({ name: 'Receipt', columns: { id: { type: Number, primary: true } } });
    await expect(failure([tenancy(), TenancyModule.forFeature([Invoice, Receipt])])).resolves.toMatchObject({
      code: 'ENTITY_NOT_LISTED',
      message: expect.stringContaining('names Invoice, Receipt, which is not among the entities'),
    });
    @Entity()
    class Page {
      @PrimaryGeneratedColumn()
      id!: number;
      @ManyToOne(() => Invoice)
      invoice!: Invoice;
    }
    await expect(failure([tenancy({ entities: [Page] })])).resolves.toMatchObject({
      code: 'ENTITY_NOT_LISTED',
      message: expect.stringContaining(
        'What Page.invoice leads to is not among the entities of TenancyModule.forRoot(): add it there.',
      ),
    });
    const listed = await start(tenancy());
    const acme = await listed.create({ slug: `unlisted-${Date.now()}` });
    const connection = listed.app.get(TenantConnection);
    for (const ask of [
      () => connection.getRepository(Invoice).find(),
      () => connection.manager.save(Invoice, { text: 'x' }),
      () => connection.createQueryBuilder(Receipt, 'r').getMany(),
    ])
      await expect(listed.app.get(TenantContext).run(acme, async () => ask())).rejects.toMatchObject({
        code: 'ENTITY_NOT_LISTED',
        message: expect.stringMatching(/^(Invoice|Receipt) is not among the entities .* add it there/),
        publicMessage: 'Internal server error',
      });
    const { app } = await start(
      tenancy({ entities: [Invoice, Receipt] }),
      TenancyModule.forFeature([Invoice, Receipt]),
    );
    expect(app).toBeDefined();
  });
});

describe.each(ADAPTERS)('A tenant in the path that leads to no route, on %s', (platform, adapter) => {
  let database: TestDatabase;
  let app: TestApp | undefined;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => app?.close());
  afterAll(() => database.drop());

  @Controller('orders')
  class OrdersController {
    @Get()
    list() {
      return [];
    }
  }
  @Controller('t/:tenant/orders')
  class OrdersOfPathController extends OrdersController {}

  async function start(options: {
    controller?: typeof OrdersController;
    strip?: boolean;
    globalPrefix?: string;
  }): Promise<TestApp> {
    const rewrites = platform === 'Fastify' && options.strip;
    app = await startTestApp(
      {
        imports: [TenancyModule.forRoot(notesOptions(database, { resolvers: [fromPath()] }))],
        controllers: [options.controller ?? OrdersController],
      },
      {
        adapter: rewrites ? adapter({ rewriteUrl: stripTenantPath() as never }) : adapter(),
        prepare: (nest) => {
          if (options.strip && !rewrites) nest.use(stripTenantPath());
          if (options.globalPrefix) nest.setGlobalPrefix(options.globalPrefix);
        },
      },
    );
    return app;
  }

  it('is told of once, with both remedies', async () => {
    const { log, url, create } = await start({});
    await create({ slug: 'acme' });
    for (const _time of [1, 2])
      await expect(rawRequest(url, '/t/acme/orders')).resolves.toMatchObject({ status: 404 });
    expect(log.warnings).toEqual([
      expect.stringMatching(/app\.use\(stripTenantPath\(\)\).*rewriteUrl.*setGlobalPrefix\('t\/:tenant'\)/),
    ]);
  });

  it.each([
    ['taken away', { strip: true }],
    ['a part of the global prefix', { globalPrefix: 't/:tenant' }],
    ['a parameter of a route', { controller: OrdersOfPathController }],
  ])('is no matter where it is %s', async (_how, options) => {
    const { log, url, create } = await start(options);
    const slug = `shop-${Object.keys(options)[0].toLowerCase()}`;
    await create({ slug });
    await expect(rawRequest(url, `/t/${slug}/orders`)).resolves.toMatchObject({ status: 200 });
    expect(log.warnings).toEqual([]);
  });
});

it.each([
  ['access', 'class-validator'],
  ['admin', 'class-validator'],
  ['usage', 'class-validator'],
  ['throttling', '@nestjs/throttler'],
])('nestjs-tenancy/%s names the package that it needs and does not find: %s', (entry, name) => {
  jest.isolateModules(() => {
    jest.doMock(name, () => {
      throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
    });
    expect(() => jest.requireActual<object>(`../../lib/${entry}`)).toThrow(
      expect.objectContaining({
        code: 'PACKAGE_MISSING',
        message: expect.stringContaining(`npm install ${name}`),
      }),
    );
    jest.dontMock(name);
  });
});
