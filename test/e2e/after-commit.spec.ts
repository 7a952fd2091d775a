import { ConflictException, Controller, Get, Injectable } from '@nestjs/common';
import { Repository } from 'typeorm';
import {
  CurrentTenant,
  InjectTenantRepository,
  TenancyModule,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantTransaction,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { CreateNotes1700000000000, Note, NotesOnce1700000000001, notesOptions } from '../support/notes';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

@Injectable()
class Announced {
  /** Who was told, and what was there for others at that moment. */
  readonly seen: { slug: string; texts: string[] }[] = [];

  constructor(
    private readonly connection: TenantConnection,
    private readonly context: TenantContext,
    @InjectTenantRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  async write(...texts: string[]): Promise<void> {
    await this.notes.insert(texts.map((text) => ({ text })));
    this.connection.afterCommit(() => this.#announce());
  }

  async writeAndFailAfter(text: string): Promise<void> {
    await this.notes.insert({ text });
    this.connection.afterCommit(() => Promise.reject(new Error('nobody listens')));
  }

  async #announce(): Promise<void> {
    const notes = await this.notes.find({ order: { id: 'ASC' } });
    this.seen.push({ slug: this.context.tenant().slug, texts: notes.map(({ text }) => text) });
  }
}

@Controller()
@TenantTransaction()
class NotesController {
  constructor(private readonly announced: Announced) {}

  @Get('kept')
  async kept(@CurrentTenant() { slug }: Tenant) {
    await this.announced.write(slug);
    return { told: this.announced.seen.length };
  }

  @Get('conflict')
  async conflict() {
    await this.announced.write('one');
    throw new ConflictException();
  }

  @Get('refused-at-commit')
  refusedAtCommit() {
    return this.announced.write('twice', 'twice');
  }

  @Get('failing-after')
  failingAfter() {
    return this.announced.writeAndFailAfter('one');
  }
}

/** In a pool of one: what is done before the connection is given back would wait, and fail. */
describe.each(ADAPTERS)('What a request asks for after its COMMIT, on %s', (_name, adapter) => {
  let database: TestDatabase;
  let app: TestApp;
  let tenants: Tenant[];
  let announced: Announced;

  beforeAll(async () => {
    database = await createTestDatabase();
    const options = notesOptions(database, {
      database: { url: database.url, poolSize: 1, connectAttempts: 1, connectTimeoutMs: 2_000 },
      migrations: [CreateNotes1700000000000, NotesOnce1700000000001],
    });
    app = await startTestApp(
      {
        imports: [TenancyModule.forRoot(options), TenancyModule.forFeature([Note])],
        controllers: [NotesController],
        providers: [Announced],
      },
      { adapter: adapter() },
    );
    tenants = [await app.create({ slug: 'acme' }), await app.create({ slug: 'globex' })];
    announced = app.app.get(Announced);
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });
  beforeEach(async () => {
    announced.seen.length = 0;
    app.log.errors.length = 0;
    for (const { schemaName } of tenants) await database.query(`TRUNCATE ${schemaName}.note`);
  });

  it('is done for its tenant once it is kept, and before the answer', async () => {
    await expect(app.get('/kept', 'acme')).resolves.toEqual({ status: 200, body: { told: 0 } });
    expect(announced.seen).toEqual([{ slug: 'acme', texts: ['acme'] }]);
  });

  it('is each tenant’s own when requests come at the same time', async () => {
    const slugs = ['acme', 'globex'];
    await Promise.all(slugs.map((slug) => app.get('/kept', slug)));
    expect(announced.seen).toHaveLength(2);
    expect(announced.seen).toEqual(expect.arrayContaining(slugs.map((slug) => ({ slug, texts: [slug] }))));
  });

  it.each([
    ['the handler fails', '/conflict', 409],
    ['the COMMIT is refused', '/refused-at-commit', 500],
  ])('is not done when %s, nor by the next request', async (_when, path, status) => {
    await expect(app.get(path, 'acme')).resolves.toMatchObject({ status });
    expect(announced.seen).toEqual([]);
    await app.get('/kept', 'globex');
    expect(announced.seen).toEqual([{ slug: 'globex', texts: ['globex'] }]);
  });

  it('changes nothing of the answer when it fails, which the log says', async () => {
    await expect(app.get('/failing-after', 'acme')).resolves.toMatchObject({ status: 200 });
    expect(app.log.errors).toEqual([expect.stringContaining('The COMMIT stands')]);
    await app.get('/kept', 'acme');
    expect(announced.seen).toEqual([{ slug: 'acme', texts: ['one', 'acme'] }]);
  });
});
