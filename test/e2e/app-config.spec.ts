import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import type { Repository } from 'typeorm';
import {
  CurrentTenant,
  fromHeader,
  InjectTenantRepository,
  type TenancyOptions,
  TenancyModule,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { CreateNotes1700000000000, Note } from '../support/notes';
import { ANY_ADAPTER } from '../support/sample-app';
import { rawRequest } from '../support/raw-request';
import { startTestApp, type TestApp } from '../support/test-app';

/** What an application reads from its configuration, whoever asks for it. */
function optionsOf(config: ConfigService): TenancyOptions {
  return {
    database: {
      url: config.getOrThrow('database.url'),
      poolSize: config.get('database.poolSize'),
      connectAttempts: 1,
    },
    entities: [Note],
    migrations: [CreateNotes1700000000000],
    resolvers: [fromHeader(config.getOrThrow('tenancy.header'))],
    fallbackTenant: config.get('tenancy.fallback'),
  };
}

@Injectable()
class TenancyConfig {
  constructor(private readonly config: ConfigService) {}
  create(): TenancyOptions {
    return optionsOf(this.config);
  }
}

@Module({ imports: [ConfigModule], providers: [TenancyConfig], exports: [TenancyConfig] })
class TenancyConfigModule {}

@Controller('notes')
class NotesController {
  constructor(@InjectTenantRepository(Note) private readonly notes: Repository<Note>) {}

  @Get()
  async list(@CurrentTenant('slug') tenant: string) {
    await this.notes.save({ text: 'tea' });
    return { tenant, notes: await this.notes.count() };
  }
}

const WAYS = [
  [
    'useFactory',
    () =>
      TenancyModule.forRootAsync({
        imports: [ConfigModule],
        inject: [ConfigService],
        useFactory: (config: ConfigService) => optionsOf(config),
      }),
  ],
  ['useClass', () => TenancyModule.forRootAsync({ imports: [ConfigModule], useClass: TenancyConfig })],
  [
    'useExisting',
    () => TenancyModule.forRootAsync({ imports: [TenancyConfigModule], useExisting: TenancyConfig }),
  ],
] as const;

describe.each(ANY_ADAPTER)('options from @nestjs/config on %s', (_platform, adapter) => {
  let database: TestDatabase;
  let running: TestApp | undefined;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await running?.close();
    running = undefined;
  });
  afterAll(() => database.drop());

  async function start(
    tenancy: ReturnType<typeof TenancyModule.forRootAsync>,
    settings: Record<string, unknown> = {},
    isGlobal = false,
  ): Promise<TestApp> {
    const load = () => ({
      'database.url': database.url,
      'tenancy.header': 'x-customer',
      ...settings,
    });
    running = await startTestApp(
      {
        imports: [
          ConfigModule.forRoot({ ignoreEnvFile: true, isGlobal, load: [load] }),
          tenancy,
          TenancyModule.forFeature([Note]),
        ],
        controllers: [NotesController],
      },
      { adapter: adapter() },
    );
    return running;
  }

  it.each(WAYS)('by %s', async (way, tenancy) => {
    const slug = way.toLowerCase();
    const { create, url } = await start(tenancy());
    await create({ slug });
    await expect(rawRequest(url, '/notes', { headers: { 'x-customer': slug } })).resolves.toEqual({
      status: 200,
      body: { tenant: slug, notes: 1 },
    });
  });

  it('by a factory that imports nothing, when the configuration is global', async () => {
    const tenancy = TenancyModule.forRootAsync({ inject: [ConfigService], useFactory: optionsOf });
    const { create, get } = await start(tenancy, { 'tenancy.fallback': 'acme' }, true);
    await create({ slug: 'acme' });
    await expect(get('/notes')).resolves.toMatchObject({ status: 200, body: { tenant: 'acme' } });
  });

  it.each(WAYS)('a bad one stops the start by its name, by %s', async (_way, tenancy) => {
    await expect(start(tenancy(), { 'database.poolSize': 'ten' })).rejects.toMatchObject({
      code: 'TENANCY_OPTIONS_INVALID',
      problems: [{ field: 'database.poolSize', message: expect.any(String) }],
    });
  });

  it('one that is missing stops the start in the words of the configuration', async () => {
    await expect(start(WAYS[0][1](), { 'tenancy.header': undefined })).rejects.toThrow('tenancy.header');
  });
});
