import { Controller, Get, Injectable } from '@nestjs/common';
import { Client } from 'pg';
import { InjectTenantRepository, TenancyModule } from '../../lib';
import { Repository } from 'typeorm';
import { examine } from '../../lib/cli/doctor/examine';
import { resolveOptions } from '../../lib/options/resolve-options';
import { CORE_MIGRATIONS } from '../../lib/registry/registry-migrations';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { Note, notesOptions } from '../support/notes';
import { pooledServerUrl, startAnotherPgBouncer, startPgBouncer } from '../support/system/pgbouncer';
import { startTestApp, type TestApp } from '../support/test-app';

@Injectable()
@Controller('notes')
class NotesController {
  constructor(@InjectTenantRepository(Note) private readonly notes: Repository<Note>) {}

  @Get()
  async list(): Promise<string[]> {
    return (await this.notes.find()).map(({ text }) => text);
  }
}

describe('An application behind PgBouncer in transaction mode', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.drop());

  /** To wait for a server as if it were not there takes longer than a test may. */
  const start = (options: { url: string; directUrl?: string }): Promise<TestApp> =>
    startTestApp({
      imports: [
        TenancyModule.forRoot(
          notesOptions(database, {
            database: { ...options, connectAttempts: 2, connectRetryDelayMs: 35_000 },
          }),
        ),
        TenancyModule.forFeature([Note]),
      ],
      controllers: [NotesController],
    });

  async function directUrlFinding(urls: { url: string; directUrl: string }) {
    const options = resolveOptions(notesOptions(database, { database: urls }));
    const findings = await examine(options, CORE_MIGRATIONS);
    return findings.find(({ check }) => check === 'directUrl');
  }

  it('starts, makes tenants and serves them', async () => {
    const app = await start({ url: database.poolUrl, directUrl: database.url });
    try {
      for (const slug of ['acme', 'globex']) {
        const { schemaName } = await app.create({ slug });
        await database.query(`INSERT INTO ${schemaName}.note (text) VALUES ('of ${slug}')`);
      }
      for (const slug of ['acme', 'globex', 'acme']) {
        const { body } = await app.get('/notes', slug);
        expect(body).toContain(`of ${slug}`);
      }
      expect(app.log.warnings).toEqual([]);
    } finally {
      await app.close();
    }
  });

  it('is warned without a directUrl, and told what needs one', async () => {
    const app = await start({ url: database.poolUrl });
    await app.close();
    expect(app.log.warnings).toEqual([expect.stringContaining('TENANCY_DIRECT_URL')]);
    for (const loss of ['LISTEN', 'transaction = false', 'session locks']) {
      expect(app.log.warnings[0]).toContain(loss);
    }
  });

  it('is warned of a directUrl that leads to a pooler, too, and doctor says the same', async () => {
    const pooler = await startAnotherPgBouncer({});
    const other = database.urlOn(pooler.url);
    try {
      for (const [url, directUrl] of [
        [database.poolUrl, database.poolUrl],
        [database.poolUrl, other],
        [database.urlOn(pooledServerUrl()), other],
      ]) {
        const app = await start({ url, directUrl });
        await app.close();
        expect(app.log.warnings).toEqual([
          expect.stringContaining(`At ${new URL(directUrl).host} stands a pooler that shares sessions`),
        ]);
        expect(app.log.warnings[0]).toMatch(/database\.directUrl \(.*\) leads to it\..*LISTEN/);
        await expect(directUrlFinding({ url, directUrl })).resolves.toMatchObject({
          severity: 'warning',
          message: expect.stringMatching(/^leads to a pooler that shares sessions: LISTEN/),
        });
      }
      const around = { url: database.poolUrl, directUrl: database.url };
      await expect(directUrlFinding(around)).resolves.toMatchObject({
        severity: 'ok',
        message: 'is set, and leads to PostgreSQL itself',
      });
    } finally {
      await pooler.stop();
    }
  });

  it('is not warned of a directUrl to a pooler that keeps sessions, but doctor is', async () => {
    const pooler = await startAnotherPgBouncer({ pool_mode: 'session', default_pool_size: 20 });
    const way = { url: database.poolUrl, directUrl: database.urlOn(pooler.url) };
    try {
      const app = await start(way);
      await app.close();
      expect(app.log.warnings).toEqual([]);
      await expect(directUrlFinding(way)).resolves.toMatchObject({
        severity: 'warning',
        message: expect.stringContaining('migrations with transaction = false are refused'),
      });
    } finally {
      await pooler.stop();
    }
  });

  it('is not warned where no pooler stands', async () => {
    const app = await start({ url: database.url });
    await app.close();
    expect(app.log.warnings).toEqual([]);
  });

  it('does not start when the pooler refuses the start-up options: it is told the remedy at once', async () => {
    const pooler = await startAnotherPgBouncer({ ignore_startup_parameters: 'extra_float_digits' });
    try {
      const starting = start({ url: database.urlOn(pooler.url) });
      await expect(starting).rejects.toMatchObject({
        code: 'UNSUPPORTED_STARTUP_PARAMETER',
        message: expect.stringMatching(/options.*ignore_startup_parameters.*ALTER ROLE/s),
      });
    } finally {
      await pooler.stop();
    }
  });

  it('does not start when the login role has no empty path: it is told the remedy at once', async () => {
    // The superuser's own role.
    const pooler = await startPgBouncer(process.env.TEST_SERVER_URL as string);
    try {
      await expect(start({ url: database.urlOn(pooler.url) })).rejects.toMatchObject({
        code: 'UNSAFE_SESSION',
        message: expect.stringContaining('ALTER ROLE'),
      });
    } finally {
      await pooler.stop();
    }
  });

  it('starts when the role gets the path that the error asks for', async () => {
    const role = `login_${Date.now()}`;
    await database.query(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'secret'`);
    const url = Object.assign(new URL(process.env.TEST_SERVER_URL as string), {
      username: role,
      password: 'secret',
    });
    const pooler = await startPgBouncer(url.href);
    try {
      const viaPooler = { url: database.urlOn(pooler.url), directUrl: database.url };
      const [remedy] = await start(viaPooler).then(
        () => [],
        ({ message }: Error) => /ALTER ROLE .*''/.exec(message) ?? [],
      );
      await database.query(remedy.replace('<the login role>', role));
      // Sessions that are there already keep their path.
      await endSessionsOf(role);
      await (await start(viaPooler)).close();
    } finally {
      await pooler.stop();
      await endSessionsOf(role);
      await database.query(`DROP OWNED BY ${role} CASCADE`);
      await database.query(`DROP ROLE ${role}`);
    }
  });
});

async function endSessionsOf(role: string): Promise<void> {
  const client = new Client({ connectionString: process.env.TEST_SERVER_URL });
  await client.connect();
  await client.query('SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1', [
    role,
  ]);
  await client.end();
}
