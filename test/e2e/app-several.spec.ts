import { AsyncLocalStorage } from 'node:async_hooks';
import { Controller, Get, Param } from '@nestjs/common';
import type { Repository } from 'typeorm';
import {
  InjectTenantRepository,
  type TenancyOptions,
  TenancyModule,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
} from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { ADAPTERS } from '../support/sample-app';
import { startTestApp, type TestApp } from '../support/test-app';

const ok = (body: unknown) => ({ status: 200, body });
const refusal = (status: number, code: string) => ({
  status,
  body: { statusCode: status, code, message: expect.any(String) },
});

@Controller('notes')
class NotesController {
  constructor(
    @InjectTenantRepository(Note) private readonly notes: Repository<Note>,
    private readonly connection: TenantConnection,
  ) {}

  @Get()
  async read() {
    const repositories = [this.notes, this.connection.getRepository(Note)];
    const found = await Promise.all(repositories.map((repository) => repository.find()));
    return found.flat().map(({ text }) => text);
  }

  @Get(':text')
  async write(@Param('text') text: string) {
    await this.notes.save({ text });
    return this.read();
  }
}

/** How one application's tenants are kept from another's. */
const SEPARATIONS: [string, (databases: TestDatabase[]) => [TenancyOptions, TenancyOptions]][] = [
  ['two databases', ([first, second]) => [notesOptions(first), notesOptions(second)]],
  [
    'two registries in one database',
    ([both]) => [
      notesOptions(both),
      notesOptions(both, { registry: { schema: 'other_tenancy' }, templateSchema: 'other_template' }),
    ],
  ],
];

describe.each(ADAPTERS)('two applications in one process on %s', (_platform, adapter) => {
  describe.each(SEPARATIONS)('with %s', (_what, optionsOf) => {
    let databases: TestDatabase[];
    let one: TestApp;
    let two: TestApp;

    beforeAll(async () => {
      databases = [await createTestDatabase(), await createTestDatabase()];
      const start = (options: TenancyOptions) =>
        startTestApp(
          {
            imports: [TenancyModule.forRoot(options), TenancyModule.forFeature([Note])],
            controllers: [NotesController],
          },
          { adapter: adapter() },
        );
      [one, two] = await Promise.all(optionsOf(databases).map(start));
    });
    afterAll(async () => {
      await two.close();
      for (const database of databases) await database.drop();
    });

    it('know only their own tenants, also by one slug and at once', async () => {
      await one.create({ slug: 'acme' });
      await expect(two.get('/notes', 'acme')).resolves.toEqual(refusal(404, 'TENANT_NOT_FOUND'));
      await two.create({ slug: 'acme' });
      await Promise.all([one.get('/notes/one', 'acme'), two.get('/notes/two', 'acme')]);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 ? two : one).get('/notes', 'acme')),
      );
      expect(answers).toEqual(answers.map((_, i) => ok(Array(2).fill(i % 2 ? 'two' : 'one'))));
    });

    it('give ids that mean nothing to one another', async () => {
      const { id } = await one.app.get(TenantLifecycle).get('acme');
      await expect(one.get('/notes', id)).resolves.toEqual(ok(['one', 'one']));
      await expect(two.get('/notes', id)).resolves.toEqual(refusal(404, 'TENANT_NOT_FOUND'));
    });

    it('have contexts of their own', async () => {
      const acme = await one.app.get(TenantLifecycle).get('acme');
      await one.app.get(TenantContext).run(acme, async () => {
        expect(two.app.get(TenantContext).find()).toBeUndefined();
        await expect(two.app.get(TenantConnection).query('SELECT 1')).rejects.toMatchObject({
          code: 'TENANT_REQUIRED',
        });
      });
    });

    it('visit only their own tenants', async () => {
      await two.create({ slug: 'globex' });
      for (const [{ app }, slugs] of [
        [one, ['acme']],
        [two, ['acme', 'globex']],
      ] as const) {
        const visited: string[] = [];
        await app.get(TenantContext).eachTenant(({ slug }) => visited.push(slug));
        expect(visited).toEqual(slugs);
      }
    });

    it('suspend and stop one by one', async () => {
      await one.app.get(TenantLifecycle).suspend('acme');
      await expect(one.get('/notes', 'acme')).resolves.toEqual(refusal(403, 'TENANT_NOT_ACTIVE'));
      await expect(two.get('/notes', 'acme')).resolves.toEqual(ok(['two', 'two']));
      await one.close();
      await expect(two.get('/notes', 'acme')).resolves.toEqual(ok(['two', 'two']));
      await two.create({ slug: 'initech' });
    });
  });
});

describe('an application that has ended', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it('leaves no AsyncLocalStorage behind, which would look at every promise of the process', async () => {
    const run = jest.spyOn(AsyncLocalStorage.prototype, 'run');
    const app = await startTestApp({
      imports: [TenancyModule.forRoot(notesOptions(database)), TenancyModule.forFeature([Note])],
      controllers: [NotesController],
    });
    const { slug } = await app.create({ slug: 'acme' });
    await expect(app.get('/notes/tea', slug)).resolves.toEqual(ok(['tea', 'tea']));
    const storages = new Set(run.mock.contexts as AsyncLocalStorage<unknown>[]);
    const inUse = () =>
      [...storages].filter((storage) => (storage as unknown as { enabled: boolean }).enabled);
    expect(inUse()).toHaveLength(1);
    await app.close();
    expect(inUse()).toEqual([]);
    run.mockRestore();
  });
});
