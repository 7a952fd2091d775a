import {
  Catch,
  Controller,
  Get,
  HttpException,
  Inject,
  Injectable,
  Module,
  Param,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import { InjectDataSource, InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { Column, DataSource, Entity, PrimaryColumn, Repository } from 'typeorm';
import {
  CURRENT_TENANT,
  CurrentTenant,
  InjectTenantRepository,
  InMemoryTenantStore,
  TENANT_DATA_SOURCE,
  type TenancyOptions,
  TenancyModule,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantFree,
  TenantLifecycle,
  TenantOptional,
  TenantRequiredError,
  TenantsFailedError,
  TenantStore,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

const refusal = (status: number, code: string) => ({
  status,
  body: { statusCode: status, code, message: expect.any(String) },
});
const ok = (body: unknown) => ({ status: 200, body });
const texts = (notes: Note[]) => notes.map(({ text }) => text);

@Injectable()
class RequestScoped {
  constructor(@Inject(CURRENT_TENANT) readonly tenant: Tenant | undefined) {}
}

@Controller()
class NotesController {
  constructor(
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
    @InjectTenantRepository(Note) private readonly notes: Repository<Note>,
    @InjectRepository(Note, TENANT_DATA_SOURCE) private readonly sameNotes: Repository<Note>,
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  @Get('write/:text')
  async write(@Param('text') text: string) {
    await this.notes.save({ text });
    return texts(await this.notes.find());
  }

  @Get('read')
  async read() {
    return texts(await this.connection.getRepository(Note).find({ order: { id: 'ASC' } }));
  }

  /** By each of the ways in. */
  @Get('every-way')
  async everyWay() {
    const [row] = await this.connection.query<{ text: string }[]>('SELECT text FROM note');
    return [
      ...texts(await this.notes.find()),
      ...texts(await this.sameNotes.find()),
      ...texts(await this.connection.manager.find(Note)),
      ...texts(await this.connection.createQueryBuilder(Note, 'n').where('n.id > 0').getMany()),
      ...texts(await this.connection.transaction((manager) => manager.find(Note))),
      ...texts(await this.connection.transaction('SERIALIZABLE', (manager) => manager.find(Note))),
      ...texts(await this.dataSource.getRepository(Note).find()),
      row.text,
    ];
  }

  @Get('tenant')
  tenant(@CurrentTenant() tenant: Tenant, @CurrentTenant('slug') slug: string) {
    return [tenant.slug, slug, this.context.tenant().slug, this.context.find()?.slug];
  }

  @Get('optional')
  @TenantOptional()
  async optional() {
    return this.context.find() ? texts(await this.notes.find()) : 'nobody';
  }

  @Get('optional-read')
  @TenantOptional()
  async optionalRead() {
    return texts(await this.notes.find());
  }

  @Get('free')
  @TenantFree()
  free() {
    return this.context.find() ?? 'nobody';
  }

  @Get('free-read')
  @TenantFree()
  async freeRead() {
    return texts(await this.notes.find());
  }

  @Get('sql')
  sql() {
    return this.connection.query('SELEC 1');
  }
}

@Controller('scoped')
class ScopedController {
  constructor(
    private readonly scoped: RequestScoped,
    @InjectTenantRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  @Get()
  async tenant() {
    return [this.scoped.tenant?.slug, ...texts(await this.notes.find())];
  }
}

/** An application of `Note` with all of the above. */
const notesApp = (tenancy: ReturnType<typeof TenancyModule.forRoot>) => ({
  imports: [tenancy, TenancyModule.forFeature([Note])],
  controllers: [NotesController, ScopedController],
  providers: [RequestScoped],
});

describe.each(ADAPTERS)('TenancyModule on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let running: TestApp;

  beforeAll(async () => {
    database = await createTestDatabase();
    running = await startTestApp(notesApp(TenancyModule.forRoot(notesOptions(database))), {
      adapter: adapter(),
    });
    for (const slug of ['acme', 'globex']) {
      await running.create({ slug });
      await running.get(`/write/of-${slug}`, slug);
    }
  });
  afterAll(async () => {
    await running.close();
    await database.drop();
  });

  it('runs every injected repository, connection and transaction for the tenant of the request', async () => {
    for (const slug of ['acme', 'globex']) {
      await expect(running.get('/every-way', slug)).resolves.toEqual(ok(Array(8).fill(`of-${slug}`)));
    }
  });

  it('keeps 200 requests at once apart, with fewer connections than requests', async () => {
    const slugs = Array.from({ length: 200 }, (_, i) => ['acme', 'globex'][i % 2]);
    const answers = await Promise.all(slugs.map((slug) => running.get('/every-way', slug)));
    expect(answers).toEqual(slugs.map((slug) => ok(Array(8).fill(`of-${slug}`))));
  });

  it('tells handlers and services whose request it is', async () => {
    await expect(running.get('/tenant', 'acme')).resolves.toEqual(ok(Array(4).fill('acme')));
  });

  it('injects CURRENT_TENANT into request-scoped classes', async () => {
    const answers = await Promise.all(['acme', 'globex', 'acme'].map((slug) => running.get('/scoped', slug)));
    expect(answers).toEqual([ok(['acme', 'of-acme']), ok(['globex', 'of-globex']), ok(['acme', 'of-acme'])]);
  });

  it('serves a @TenantOptional() route with a tenant and without', async () => {
    await expect(running.get('/optional', 'acme')).resolves.toEqual(ok(['of-acme']));
    await expect(running.get('/optional')).resolves.toMatchObject({ status: 200, body: 'nobody' });
    await expect(running.get('/optional', 'nobody')).resolves.toEqual(refusal(404, 'TENANT_NOT_FOUND'));
  });

  it.each(['/free-read', '/optional-read'])(
    'answers 500 and logs the remedy when %s reads tenants’ rows for nobody',
    async (path) => {
      running.log.errors.length = 0;
      await expect(running.get(path)).resolves.toEqual(refusal(500, 'TENANT_REQUIRED'));
      expect(running.log.errors).toEqual([expect.stringContaining('TenantContext.run(tenant, work)')]);
    },
  );

  it('gives a @TenantFree() route no tenant, even when the request names one', async () => {
    await expect(running.get('/free', 'acme')).resolves.toMatchObject({ status: 200, body: 'nobody' });
    await expect(running.get('/free-read', 'acme')).resolves.toEqual(refusal(500, 'TENANT_REQUIRED'));
  });

  it('answers a mistake in SQL as Nest does, and serves the next request', async () => {
    await expect(running.get('/sql', 'acme')).resolves.toEqual({
      status: 500,
      body: { statusCode: 500, message: 'Internal server error' },
    });
    await expect(running.get('/read', 'acme')).resolves.toEqual(ok(['of-acme']));
  });
});

describe('outside of requests', () => {
  let database: TestDatabase;
  let running: TestApp;
  let context: TenantContext;
  let notes: Repository<Note>;
  const tenants: Tenant[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    running = await startTestApp(notesApp(TenancyModule.forRoot(notesOptions(database))));
    context = running.app.get(TenantContext);
    notes = running.app.get(TenantConnection).getRepository(Note);
    for (const slug of ['acme', 'globex', 'initech', 'hooli']) {
      const tenant = await running.create({ slug });
      await context.run(tenant, () => notes.save({ text: slug }));
      tenants.push(tenant);
    }
    await running.app.get(TenantLifecycle).suspend('hooli');
  });
  afterAll(async () => {
    await running.close();
    await database.drop();
  });

  it('code runs for nobody: reading rows is refused before anything is sent', async () => {
    expect(context.find()).toBeUndefined();
    expect(() => context.tenant()).toThrow(TenantRequiredError);
    await expect(notes.find()).rejects.toMatchObject({
      code: 'TENANT_REQUIRED',
      message: expect.stringMatching(/run\(tenant, work\), .*eachTenant\(work\), .*runAsSystem\(work\)/),
    });
  });

  it('run() runs for a tenant, also for one that is suspended, and ends with its work', async () => {
    for (const tenant of tenants) {
      expect(texts(await context.run(tenant, () => notes.find()))).toEqual([tenant.slug]);
    }
    expect(context.find()).toBeUndefined();
  });

  it('run() within run() is the inner tenant’s, in an open transaction of the outer one too', async () => {
    const [acme, globex] = tenants;
    const seen = await context.run(acme, () =>
      running.app
        .get(TenantConnection)
        .transaction(async (manager) => [
          ...texts(await manager.find(Note)),
          ...texts(await context.run(globex, () => notes.find())),
          ...texts(await manager.find(Note)),
        ]),
    );
    expect(seen).toEqual(['acme', 'globex', 'acme']);
  });

  it.each([undefined, 1, 3, 50])(
    'eachTenant() visits every active tenant once (concurrency %p)',
    async (concurrency) => {
      const visited: string[] = [];
      await context.eachTenant(
        async (tenant) => {
          visited.push(tenant.slug, ...texts(await notes.find()));
        },
        concurrency === undefined ? undefined : { concurrency },
      );
      expect(visited.sort()).toEqual(['acme', 'acme', 'globex', 'globex', 'initech', 'initech']);
    },
  );

  it('eachTenant() goes on after a failure, and names whose work failed', async () => {
    const visited: string[] = [];
    const work = context.eachTenant(({ slug }) => {
      visited.push(slug);
      if (slug === 'globex') throw new Error('broken');
    });
    await expect(work).rejects.toThrow(TenantsFailedError);
    await expect(work).rejects.toThrow('globex (broken)');
    expect(visited).toEqual(['acme', 'globex', 'initech']);
  });

  it('runAsSystem() sees no tenant’s table by its bare name, and any by its full one', async () => {
    const { dataSource } = running.app.get(TenantConnection);
    await expect(context.runAsSystem(() => notes.find())).rejects.toMatchObject({ code: '42P01' });
    const sql = `SELECT text FROM ${tenants[1].schemaName}.note`;
    await expect(context.runAsSystem(() => dataSource.query(sql))).resolves.toEqual([{ text: 'globex' }]);
  });

  it('a creation whose COMMIT went through, but whose answer was lost, leaves neither row nor schema', async () => {
    const { dataSource } = running.app.get(TenantConnection);
    const transaction = dataSource.transaction.bind(dataSource);
    const spy = jest.spyOn(dataSource, 'transaction').mockImplementationOnce(async (...work: unknown[]) => {
      await (transaction as (...work: unknown[]) => Promise<unknown>)(...work);
      throw new Error('Connection terminated unexpectedly');
    });
    const count = `SELECT (SELECT count(*) FROM tenancy.tenants) AS tenants,
      (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%') AS schemas`;
    const before = await database.query(count);
    await expect(running.create({ slug: 'lost' })).rejects.toMatchObject({ code: 'TENANCY_UNAVAILABLE' });
    expect(spy).toHaveBeenCalled();
    expect(await database.query(count)).toEqual(before);
    await expect(running.create({ slug: 'lost' })).resolves.toMatchObject({ status: 'active' });
  });
});

describe('the options of TenancyModule', () => {
  let database: TestDatabase;
  let running: TestApp | undefined;

  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await running?.close();
    running = undefined;
    await database.drop();
  });

  async function start(tenancy: ReturnType<typeof TenancyModule.forRoot>): Promise<TestApp> {
    running = await startTestApp(notesApp(tenancy));
    return running;
  }

  /** Injected into factories, and itself one. */
  @Injectable()
  class Settings {
    create(): TenancyOptions {
      return notesOptions(database);
    }
  }
  @Module({ providers: [Settings], exports: [Settings] })
  class SettingsModule {}

  it.each([
    ['forRoot', () => TenancyModule.forRoot(notesOptions(database))],
    [
      'forRootAsync with useFactory',
      () => TenancyModule.forRootAsync({ useFactory: () => notesOptions(database) }),
    ],
    [
      'forRootAsync with a factory that awaits, and is given what it injects',
      () =>
        TenancyModule.forRootAsync({
          imports: [SettingsModule],
          inject: [Settings],
          useFactory: async (settings: Settings) => {
            await Promise.resolve();
            return settings.create();
          },
        }),
    ],
    ['forRootAsync with useClass', () => TenancyModule.forRootAsync({ useClass: Settings })],
    [
      'forRootAsync with useExisting',
      () => TenancyModule.forRootAsync({ imports: [SettingsModule], useExisting: Settings }),
    ],
  ])('may come by %s', async (_way, tenancy) => {
    const { create, get } = await start(tenancy());
    await create({ slug: 'acme' });
    await expect(get('/write/tea', 'acme')).resolves.toEqual(ok(['tea']));
  });

  it('fallbackTenant serves requests that name nobody', async () => {
    const { create, get } = await start(
      TenancyModule.forRoot(notesOptions(database, { fallbackTenant: 'acme' })),
    );
    await expect(get('/read')).resolves.toEqual(refusal(404, 'TENANT_NOT_FOUND'));
    await create({ slug: 'acme' });
    await create({ slug: 'globex' });
    await get('/write/tea', 'acme');
    await expect(get('/read')).resolves.toEqual(ok(['tea']));
    await expect(get('/read', 'globex')).resolves.toEqual(ok([]));
    await expect(get('/read', 'nobody')).resolves.toEqual(refusal(404, 'TENANT_NOT_FOUND'));
  });

  it('resolvers may be functions of yours', async () => {
    const { create, get } = await start(
      TenancyModule.forRoot(
        notesOptions(database, {
          resolvers: [
            async ({ url }) => {
              await Promise.resolve();
              const value = new URL(url, 'http://localhost').searchParams.get('of');
              return value === null ? undefined : { by: 'slug', value };
            },
          ],
        }),
      ),
    );
    await create({ slug: 'acme' });
    await expect(get('/tenant?of=acme')).resolves.toEqual(ok(Array(4).fill('acme')));
    await expect(get('/tenant?of=nobody')).resolves.toEqual(refusal(404, 'TENANT_NOT_FOUND'));
    await expect(get('/tenant')).resolves.toEqual(refusal(400, 'TENANT_MISSING'));
  });

  it.each([
    ['an instance', () => new InMemoryTenantStore()],
    ['a class', () => InMemoryTenantStore],
  ])('store may be %s of yours; a failed creation is taken out of it', async (_kind, store) => {
    const { app, create, get } = await start(
      TenancyModule.forRoot(notesOptions(database, { store: store() })),
    );
    expect(app.get(TenantStore)).toBeInstanceOf(InMemoryTenantStore);
    await create({ slug: 'acme' });
    await expect(get('/write/tea', 'acme')).resolves.toEqual(ok(['tea']));
    await expect(database.query('SELECT * FROM tenancy.tenants')).resolves.toEqual([]);

    await database.query('CREATE FOREIGN DATA WRAPPER nothing');
    await database.query('CREATE SERVER nothing FOREIGN DATA WRAPPER nothing');
    await database.query('CREATE FOREIGN TABLE template.elsewhere (id int) SERVER nothing');
    await database.query(`INSERT INTO tenancy.template_migrations (name, timestamp) VALUES ('A1', 1)`);
    await expect(create({ slug: 'globex' })).rejects.toMatchObject({ code: 'SCHEMA_NOT_CLONEABLE' });
    await expect(app.get(TenantStore).find({ by: 'slug', value: 'globex' })).resolves.toBeUndefined();
    await database.query('DROP FOREIGN TABLE template.elsewhere');

    // The in-memory row is there when the clone fails.
    await database.query(
      `CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no tables today'; END $$`,
    );
    await database.query(
      `CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.refuse()`,
    );
    await expect(create({ slug: 'globex' })).rejects.toMatchObject({
      code: 'PROVISIONING_FAILED',
      message: expect.stringContaining('no tables today'),
    });
    await expect(app.get(TenantStore).find({ by: 'slug', value: 'globex' })).resolves.toBeUndefined();
    await database.query('DROP EVENT TRIGGER refuse');
    await expect(create({ slug: 'globex' })).resolves.toMatchObject({ slug: 'globex' });
  });

  it('a store class of yours is given what it injects', async () => {
    @Injectable()
    class Settings {
      readonly name = 'settings';
    }
    @Module({ providers: [Settings], exports: [Settings] })
    class SettingsModule {}
    @Injectable()
    class OwnStore extends InMemoryTenantStore {
      constructor(readonly settings: Settings) {
        super();
      }
    }
    const tenancy = TenancyModule.forRoot(notesOptions(database, { store: OwnStore }));
    // What the store injects must be visible to TenancyModule: global, or among its imports.
    tenancy.imports?.push(SettingsModule);
    const { app } = await start(tenancy);
    expect(app.get(TenantStore)).toMatchObject({ settings: { name: 'settings' } });
  });

  it('names of schemas may be yours, whatever characters they have', async () => {
    const { create, get } = await start(
      TenancyModule.forRoot(
        notesOptions(database, { templateSchema: `Mo"del; 'ü`, registry: { schema: 'own_registry' } }),
      ),
    );
    await create({ slug: 'acme' });
    await expect(get('/write/tea', 'acme')).resolves.toEqual(ok(['tea']));
    const schemas = await database.query<{ name: string }>(
      `SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^(pg_|t_|information_schema)' ORDER BY 1`,
    );
    expect(schemas.map(({ name }) => name).sort()).toEqual([`Mo"del; 'ü`, 'own_registry', 'public'].sort());
  });

  it('sharedSchemas are seen by every tenant, after its own schema', async () => {
    await database.query('CREATE SCHEMA lookup');
    await database.query(`CREATE TABLE lookup.country AS SELECT 'FR' AS code`);
    await database.query(`CREATE TABLE lookup.note AS SELECT 1 AS id, 'shared' AS text`);
    const { app, create } = await start(
      TenancyModule.forRoot(notesOptions(database, { sharedSchemas: ['lookup'] })),
    );
    const acme = await create({ slug: 'acme' });
    const connection = app.get(TenantConnection);
    const query = (sql: string) => app.get(TenantContext).run(acme, () => connection.query(sql));
    await expect(query('SELECT code FROM country')).resolves.toEqual([{ code: 'FR' }]);
    await expect(query('SELECT text FROM note')).resolves.toEqual([]);
  });

  it('database.extra.options reach the session beside ours, with a URL too', async () => {
    const options = notesOptions(database, {
      database: { url: database.url, extra: { options: '-c statement_timeout=4321' } },
    });
    const { app, create } = await start(TenancyModule.forRoot(options));
    const acme = await create({ slug: 'acme' });
    await expect(
      app.get(TenantContext).run(acme, () => app.get(TenantConnection).query('SHOW statement_timeout')),
    ).resolves.toEqual([{ statement_timeout: '4321ms' }]);
  });

  it('database may be given by its parts', async () => {
    const { hostname, port, username, password, pathname } = new URL(database.url);
    const options = notesOptions(database, {
      database: {
        host: hostname,
        port: Number(port || 5432),
        username: decodeURIComponent(username),
        password: decodeURIComponent(password),
        database: pathname.slice(1),
        applicationName: 'shop',
        poolSize: 1,
      },
    });
    const { app, create, get } = await start(TenancyModule.forRoot(options));
    const acme = await create({ slug: 'acme' });
    await expect(get('/write/tea', 'acme')).resolves.toEqual(ok(['tea']));
    await expect(
      app.get(TenantContext).run(acme, () => app.get(TenantConnection).query('SHOW application_name')),
    ).resolves.toEqual([{ application_name: 'shop' }]);
  });

  it('tenantInApplicationName puts the tenant first, and cuts what is too long', async () => {
    const nameOf = async (slug: string, applicationName?: string) => {
      const { app, create } = await start(
        TenancyModule.forRoot(
          notesOptions(database, {
            database: { url: database.url, applicationName, tenantInApplicationName: true },
          }),
        ),
      );
      const tenant = await create({ slug });
      const [{ application_name: name }] = await app
        .get(TenantContext)
        .run(tenant, () =>
          app.get(TenantConnection).query<{ application_name: string }[]>('SHOW application_name'),
        );
      await app.close();
      return name;
    };
    expect(await nameOf('acme', 'shop')).toBe('acme/shop');
    expect(await nameOf('globex')).toBe('globex');
    expect(await nameOf('a'.repeat(60), 'shop')).toBe(`${'a'.repeat(60)}/sh`);
  });
});

describe('beside other parts of an application', () => {
  const databases: TestDatabase[] = [];
  const apps: TestApp[] = [];

  async function freshDatabase() {
    const database = await createTestDatabase();
    databases.push(database);
    return database;
  }
  async function start(...args: Parameters<typeof startTestApp>) {
    const running = await startTestApp(...args);
    apps.push(running);
    return running;
  }
  afterEach(async () => {
    for (const running of apps.splice(0)) await running.close();
    for (const database of databases.splice(0)) await database.drop();
  });

  it('another TypeORM data source keeps working, in the same request', async () => {
    @Entity({ schema: 'public' })
    class Country {
      @PrimaryColumn()
      code!: string;
      @Column()
      name!: string;
    }
    /** `Note` is in both data sources, where it means two different tables. */
    @Controller('both')
    class BothController {
      constructor(
        @InjectTenantRepository(Note) private readonly notes: Repository<Note>,
        @InjectRepository(Note) private readonly publicNotes: Repository<Note>,
        private readonly dataSource: DataSource,
      ) {}
      @Get()
      async both() {
        return this.dataSource.transaction(async (manager) => [
          ...(await manager.find(Country)).map(({ name }) => name),
          ...texts(await this.notes.find()),
          ...texts(await manager.withRepository(this.publicNotes).find()),
          ...(await manager.find(Country)).map(({ name }) => name),
        ]);
      }
    }
    const database = await freshDatabase();
    await database.query(`CREATE TABLE country AS SELECT 'FR' AS code, 'France' AS name`);
    await database.query(`CREATE TABLE note AS SELECT 1 AS id, 'public' AS text`);
    const notes = notesApp(TenancyModule.forRoot(notesOptions(database)));
    const { create, get } = await start({
      ...notes,
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url: database.url, entities: [Country, Note] }),
        TypeOrmModule.forFeature([Country, Note]),
        ...notes.imports,
      ],
      controllers: [...notes.controllers, BothController],
    });
    for (const slug of ['acme', 'globex']) {
      await create({ slug });
      await get(`/write/of-${slug}`, slug);
    }
    const slugs = Array.from({ length: 20 }, (_, i) => ['acme', 'globex'][i % 2]);
    const answers = await Promise.all(slugs.map((slug) => get('/both', slug)));
    expect(answers).toEqual(slugs.map((slug) => ok(['France', `of-${slug}`, 'public', 'France'])));
    await expect(database.query('SELECT text FROM note')).resolves.toEqual([{ text: 'public' }]);
  });

  describe.each(ADAPTERS)('exception filters of yours on %s', (_platform, adapter) => {
    function answer(host: ArgumentsHost, { httpAdapter }: HttpAdapterHost, error: unknown, filter: string) {
      const status = error instanceof HttpException ? error.getStatus() : 500;
      const { code } = error as { code?: string };
      httpAdapter.reply(host.switchToHttp().getResponse(), { filter, code }, status);
    }

    @Catch()
    class EverythingFilter implements ExceptionFilter {
      constructor(private readonly host: HttpAdapterHost) {}
      catch(error: unknown, host: ArgumentsHost) {
        answer(host, this.host, error, 'everything');
      }
    }
    @Catch(HttpException)
    class HttpFilter implements ExceptionFilter {
      constructor(private readonly host: HttpAdapterHost) {}
      catch(error: HttpException, host: ArgumentsHost) {
        answer(host, this.host, error, 'http');
      }
    }

    it.each([
      ['@Catch()', EverythingFilter, 'everything'],
      ['@Catch(HttpException)', HttpFilter, 'http'],
    ])(
      'that say %s are asked before ours, by APP_FILTER and by useGlobalFilters',
      async (_says, Filter, filter) => {
        const database = await freshDatabase();
        const notes = notesApp(TenancyModule.forRoot(notesOptions(database)));
        const byToken = await start(
          { ...notes, providers: [...notes.providers, { provide: APP_FILTER, useClass: Filter }] },
          { adapter: adapter() },
        );
        const byCall = await start(notes, {
          adapter: adapter(),
          prepare: (app) => void app.useGlobalFilters(new Filter(app.get(HttpAdapterHost))),
        });
        for (const { get } of [byToken, byCall]) {
          await expect(get('/read')).resolves.toEqual({
            status: 400,
            body: { filter, code: 'TENANT_MISSING' },
          });
          await expect(get('/read', 'nobody')).resolves.toEqual({
            status: 404,
            body: { filter, code: 'TENANT_NOT_FOUND' },
          });
        }
      },
    );

    it('that catch something else leave our errors to us', async () => {
      @Catch(RangeError)
      class RangeFilter implements ExceptionFilter {
        catch() {}
      }
      const database = await freshDatabase();
      const notes = notesApp(TenancyModule.forRoot(notesOptions(database)));
      const running = await start(
        { ...notes, providers: [...notes.providers, { provide: APP_FILTER, useClass: RangeFilter }] },
        { adapter: adapter() },
      );
      await expect(running.get('/read')).resolves.toEqual(refusal(400, 'TENANT_MISSING'));
      await expect(running.get('/free-read')).resolves.toEqual(refusal(500, 'TENANT_REQUIRED'));
      expect(running.log.errors).toHaveLength(1);
    });
  });
});
