import type { MigrationInterface } from 'typeorm';
import { FleetMigrator, OwnSessionRequiredError, TenancyModule } from '../../lib';
import { buildCommandLine, type CommandLine } from '../support/command-line';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { pooledServerUrl } from '../support/system/pgbouncer';
import { startTestApp, type TestApp } from '../support/test-app';
import { CreateNotes1700000000000, IndexNotes1700000001000 } from './indexed-notes/migrations';

const OLD = [CreateNotes1700000000000];
const NEW = [...OLD, IndexNotes1700000001000];
const REFUSAL = new OwnSessionRequiredError();

interface Version {
  readonly migrations: (new () => MigrationInterface)[];
  readonly directUrl?: string;
}

/** Both ways lead to one role, which owns all that is made. */
describe('A migration that says transaction = false, behind PgBouncer in transaction mode', () => {
  let database: TestDatabase;
  let directUrl: string;

  beforeEach(async () => {
    database = await createTestDatabase();
    directUrl = database.urlOn(pooledServerUrl());
    await withApp({ migrations: OLD }, async (app) => {
      for (const slug of ['acme', 'globex']) await app.create({ slug });
    });
  });
  afterEach(() => database.drop());

  /** An application whose requests go through the pooler, until `work` is done. */
  async function withApp<T>({ migrations, ...way }: Version, work: (app: TestApp) => Promise<T>): Promise<T> {
    const options = { url: database.poolUrl, connectAttempts: 1, ...way };
    const app = await startTestApp({
      imports: [TenancyModule.forRoot(notesOptions(database, { migrations, database: options }))],
    });
    try {
      return await work(app);
    } finally {
      await app.close();
    }
  }

  const up = ({ app }: TestApp) => app.get(FleetMigrator).up();

  /** The template and the tenants that have the index, and how many entries of the ledger say that it was begun. */
  async function traces(): Promise<{ indexed: string[]; begun: number }> {
    const [found] = await database.query<{ indexed: string[]; begun: number }>(
      `SELECT array(
         SELECT coalesce(t.slug, n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN tenancy.tenants t ON t.schema_name = n.nspname WHERE c.relname = 'note_text' ORDER BY 1) AS indexed,
       (SELECT count(*)::int FROM tenancy.tenant_migrations
         WHERE name LIKE 'IndexNotes%' AND state = 'unfinished') AS begun`,
    );
    return found;
  }

  const NOWHERE = { indexed: [], begun: 0 };
  const EVERYWHERE = { indexed: ['acme', 'globex', 'template'], begun: 0 };

  it('is refused for the template before it begins, and runs in all when there is a directUrl', async () => {
    await expect(withApp({ migrations: NEW }, up)).rejects.toMatchObject({ code: REFUSAL.code });
    expect(await traces()).toEqual(NOWHERE);
    await expect(withApp({ migrations: NEW, directUrl }, up)).resolves.toMatchObject({
      state: 'done',
      done: 2,
    });
    expect(await traces()).toEqual(EVERYWHERE);
  });

  it('is refused for each tenant before it begins, where the template has it already', async () => {
    await withApp({ migrations: NEW, directUrl }, () => Promise.resolve());
    const report = await withApp({ migrations: NEW }, up);
    expect(report).toMatchObject({ state: 'halted', done: 0 });
    expect(new Set(report.failed.map(({ message }) => message))).toEqual(new Set([REFUSAL.message]));
    expect(await traces()).toEqual({ indexed: ['template'], begun: 0 });
    await expect(withApp({ migrations: NEW, directUrl }, up)).resolves.toMatchObject({
      state: 'done',
      done: 2,
    });
    expect(await traces()).toEqual(EVERYWHERE);
  });

  it('is refused when the directUrl leads to a pooler, too', async () => {
    const noWayAround = { migrations: NEW, directUrl: database.poolUrl };
    await expect(withApp(noWayAround, up)).rejects.toMatchObject({ code: REFUSAL.code });
    expect(await traces()).toEqual(NOWHERE);
  });

  describe('from the shell', () => {
    let line: CommandLine;

    beforeAll(() => {
      line = buildCommandLine({ dist: `${__dirname}/indexed-notes` });
    });
    afterAll(() => line.remove());

    it('is refused without TENANCY_DIRECT_URL, and runs with it', async () => {
      const environment = { DATABASE_URL: database.poolUrl, TENANCY_MODULE: 'dist/app.module.js#AppModule' };
      const migrate = async (variables: Record<string, string>) => {
        const { code, stdout } = await line.run(['migrate', 'up', '--json'], variables);
        return { code, answer: JSON.parse(stdout) as unknown };
      };
      expect(await migrate(environment)).toEqual({
        code: 1,
        answer: { error: { code: REFUSAL.code, message: REFUSAL.message } },
      });
      expect(await traces()).toEqual(NOWHERE);
      expect(await migrate({ ...environment, TENANCY_DIRECT_URL: directUrl })).toMatchObject({
        code: 0,
        answer: { state: 'done', done: 2 },
      });
      expect(await traces()).toEqual(EVERYWHERE);
    });
  });
});
