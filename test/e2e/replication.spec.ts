import { Controller, Get, Param } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type Repository } from 'typeorm';
import {
  InjectTenantRepository,
  TENANT_DATA_SOURCE,
  TenancyModule,
  TenantConnection,
  TenantContext,
  TenantFree,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';
import { tapWire, type WireTap } from '../support/wire-tap';

@Controller()
class NotesController {
  constructor(
    @InjectTenantRepository(Note) private readonly notes: Repository<Note>,
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
    @InjectDataSource(TENANT_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  @Get('write/:text')
  async write(@Param('text') text: string) {
    await this.notes.insert({ text });
    return [text];
  }

  @Get('read')
  async read() {
    return (await this.notes.find()).map(({ text }) => text);
  }

  @Get('read-in-transaction')
  readInTransaction() {
    return this.connection.transaction(async (manager) => (await manager.find(Note)).map(({ text }) => text));
  }

  @Get('nobody')
  @TenantFree()
  async nobody() {
    return this.notes.find();
  }

  /** What sessions of the primary and of the replica begin with. */
  @Get('sessions')
  @TenantFree()
  sessions() {
    return this.context.runAsSystem(() =>
      Promise.all(
        (['master', 'slave'] as const).map(async (mode) => {
          const runner = this.dataSource.createQueryRunner(mode);
          const [row] = await runner.query(
            `SELECT reset_val AS path, current_setting('statement_timeout') AS timeout
             FROM pg_settings WHERE name = 'search_path'`,
          );
          await runner.release();
          return row;
        }),
      ),
    );
  }
}

describe('An application with a replica', () => {
  let database: TestDatabase;
  let primary: WireTap;
  let replica: WireTap;
  let app: TestApp;

  const withSessionOptions = (url: string, options: string) => {
    const parsed = new URL(url);
    parsed.searchParams.set('options', options);
    return parsed.href;
  };
  const parts = (url: string) => {
    const { hostname, port, username, password, pathname } = new URL(url);
    return { host: hostname, port: Number(port), username, password, database: pathname.slice(1) };
  };

  const start = (master: object, slave: object) =>
    startTestApp({
      imports: [
        TenancyModule.forRoot(
          notesOptions(database, {
            typeorm: { replication: { master, slaves: [slave] } },
            // Round trips are counted.
            sweeper: { intervalMs: 0 },
          }),
        ),
        TenancyModule.forFeature([Note]),
      ],
      controllers: [NotesController],
    });

  beforeAll(async () => {
    database = await createTestDatabase();
    primary = await tapWire(database.url);
    replica = await tapWire(database.url);
    app = await start(
      { url: withSessionOptions(primary.url, '-c statement_timeout=5000') },
      { url: withSessionOptions(replica.url, '-c search_path=public -c statement_timeout=7000') },
    );
    for (const slug of ['acme', 'globex']) {
      await app.create({ slug });
      await app.get(`/write/${slug}`, slug);
    }
  });
  afterAll(async () => {
    await app.close();
    await primary.close();
    await replica.close();
    await database.drop();
  });
  beforeEach(() => {
    primary.reset();
    replica.reset();
  });

  it('reads each tenant’s rows from the replica', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => app.get('/read', i % 2 ? 'acme' : 'globex')),
    );
    expect(answers.map(({ body }) => body)).toEqual(
      Array.from({ length: 20 }, (_, i) => [i % 2 ? 'acme' : 'globex']),
    );
    expect([replica.roundTrips, primary.roundTrips]).toEqual([20, 0]);
  });

  it('writes, and reads inside a transaction, on the primary', async () => {
    await expect(app.get('/write/more', 'acme')).resolves.toMatchObject({ status: 200 });
    await expect(app.get('/read-in-transaction', 'acme')).resolves.toMatchObject({ body: ['acme', 'more'] });
    await expect(app.get('/read-in-transaction', 'globex')).resolves.toMatchObject({ body: ['globex'] });
    expect(replica.messages).toEqual([]);
  });

  it('refuses what runs for nobody, before anything is sent to either', async () => {
    await expect(app.get('/nobody')).resolves.toMatchObject({
      status: 500,
      body: { code: 'TENANT_REQUIRED' },
    });
    expect([primary.messages, replica.messages]).toEqual([[], []]);
  });

  it('begins sessions of both with an empty path, and with what their URLs ask for besides', async () => {
    await expect(app.get('/sessions')).resolves.toMatchObject({
      body: [
        { path: '', timeout: '5s' },
        { path: '', timeout: '7s' },
      ],
    });
  });

  it('begins them so too when the servers are named by their parts', async () => {
    const other = await start(parts(primary.url), parts(replica.url));
    try {
      await expect(other.get('/sessions')).resolves.toMatchObject({ body: [{ path: '' }, { path: '' }] });
      primary.reset();
      replica.reset();
      await expect(other.get('/read', 'globex')).resolves.toMatchObject({ body: ['globex'] });
      expect([replica.roundTrips, primary.roundTrips]).toEqual([1, 0]);
    } finally {
      await other.close();
    }
  });
});
