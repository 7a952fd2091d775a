import {
  type CanActivate,
  Controller,
  Get,
  type INestApplication,
  Injectable,
  Param,
  UseGuards,
} from '@nestjs/common';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import {
  InMemoryTenantStore,
  TenancyModule,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantProvisioner,
  TenantStore,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { rawRequest } from '../support/raw-request';
import { ANY_ADAPTER } from '../support/sample-app';

@Injectable()
class NotesService {
  constructor(
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
  ) {}

  async write(text: string): Promise<string> {
    await this.connection.getRepository(Note).save({ text });
    return `${this.context.tenant().slug}: ${await this.connection.getRepository(Note).count()}`;
  }
}

@Injectable()
class LockedGuard implements CanActivate {
  canActivate() {
    return false;
  }
}

@Controller()
class NotesController {
  constructor(private readonly notes: NotesService) {}

  @Get('write/:text')
  write(@Param('text') text: string) {
    return this.notes.write(text).then((answer) => ({ answer }));
  }

  @Get('locked')
  @UseGuards(LockedGuard)
  locked() {
    return this.write('locked');
  }
}

describe.each(ANY_ADAPTER)('a testing module on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let app: INestApplication;

  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await app.close();
    await database.drop();
  });

  async function start(override: (builder: TestingModuleBuilder) => TestingModuleBuilder): Promise<void> {
    const builder = Test.createTestingModule({
      imports: [TenancyModule.forRoot(notesOptions(database))],
      controllers: [NotesController],
      providers: [NotesService],
    });
    app = (await override(builder).compile()).createNestApplication(adapter(), { logger: false });
    await app.listen(0, '127.0.0.1');
  }

  const create = (slug: string): Promise<Tenant> => app.get(TenantProvisioner).create({ slug });
  const get = async (path: string, slug?: string) =>
    rawRequest(await app.getUrl(), path, { headers: slug === undefined ? {} : { 'x-tenant-id': slug } });

  it('works as the application does', async () => {
    await start((builder) => builder);
    await create('acme');
    await expect(get('/write/tea', 'acme')).resolves.toEqual({ status: 200, body: { answer: 'acme: 1' } });
    await expect(get('/locked', 'acme')).resolves.toMatchObject({ status: 403 });
  });

  it('may override the TenantStore: tenants are looked up, created and listed there', async () => {
    const store = new InMemoryTenantStore();
    await start((builder) => builder.overrideProvider(TenantStore).useValue(store));
    const acme = await create('acme');
    await expect(store.find({ by: 'slug', value: 'acme' })).resolves.toEqual(acme);
    await expect(database.query('SELECT slug FROM tenancy.tenants')).resolves.toEqual([]);
    await expect(get('/write/tea', 'acme')).resolves.toEqual({ status: 200, body: { answer: 'acme: 1' } });
    await expect(get('/write/tea', 'globex')).resolves.toMatchObject({ body: { code: 'TENANT_NOT_FOUND' } });
    const visited: string[] = [];
    await app.get(TenantContext).eachTenant(({ slug }) => visited.push(slug));
    expect(visited).toEqual(['acme']);
  });

  it('may override the TenantStore by a class that Nest makes', async () => {
    await start((builder) => builder.overrideProvider(TenantStore).useClass(InMemoryTenantStore));
    await create('acme');
    await expect(get('/write/tea', 'acme')).resolves.toEqual({ status: 200, body: { answer: 'acme: 1' } });
    await expect(database.query('SELECT slug FROM tenancy.tenants')).resolves.toEqual([]);
  });

  it('may override a guard of yours; ours stays', async () => {
    await start((builder) => builder.overrideGuard(LockedGuard).useValue({ canActivate: () => true }));
    await create('acme');
    await expect(get('/locked', 'acme')).resolves.toEqual({ status: 200, body: { answer: 'acme: 1' } });
    await expect(get('/locked', 'nobody')).resolves.toMatchObject({ body: { code: 'TENANT_NOT_FOUND' } });
    await expect(get('/locked')).resolves.toMatchObject({ body: { code: 'TENANT_MISSING' } });
  });

  it('may override a service that works with TenantConnection', async () => {
    await start((builder) =>
      builder.overrideProvider(NotesService).useFactory({
        inject: [TenantContext],
        factory: (context: TenantContext) => ({
          write: (text: string) => Promise.resolve(`${text} of ${context.tenant().slug}`),
        }),
      }),
    );
    await create('acme');
    await expect(get('/write/tea', 'acme')).resolves.toEqual({
      status: 200,
      body: { answer: 'tea of acme' },
    });
    await expect(get('/write/tea', 'nobody')).resolves.toMatchObject({ body: { code: 'TENANT_NOT_FOUND' } });
  });

  it('may override TenantConnection itself', async () => {
    const saved: unknown[] = [];
    const notes = { save: (note: unknown) => saved.push(note), count: () => 41 + saved.length };
    await start((builder) =>
      builder.overrideProvider(TenantConnection).useValue({ getRepository: () => notes }),
    );
    await app.get(TenantStore).insert({
      id: '01890a5d-ac96-774b-bcce-b302099a8057',
      slug: 'acme',
      name: 'acme',
      schemaName: 't_none',
      status: 'active',
      domains: [],
      metadata: {},
      templateVersion: null,
      schemaVersion: null,
    });
    await expect(get('/write/tea', 'acme')).resolves.toEqual({ status: 200, body: { answer: 'acme: 42' } });
    expect(saved).toEqual([{ text: 'tea' }]);
  });
});
