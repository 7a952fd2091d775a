import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../lib/testing/embedded-postgres';
import { REPOSITORY, run } from '../support/commands';
import { FROM_CACHE_IF_POSSIBLE, tarball } from './packed';

/** The sample of a product, copied out of the repository and installed as its README says, with the package from npm. */
describe('sample/02-saas as a project of its own', () => {
  let folder: string;
  let postgres: EmbeddedPostgres;

  beforeAll(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'saas-project-')), 'my-product');
    await cp(join(REPOSITORY, 'sample/02-saas'), folder, { recursive: true });
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    manifest.dependencies['nestjs-tenancy'] = tarball();
    await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
    postgres = await startEmbeddedPostgres();
  });
  afterAll(async () => {
    await postgres?.stop();
    await rm(join(folder, '..'), { recursive: true, force: true });
  });

  it('installs without a warning, and compiles', async () => {
    const { stderr } = await run(folder, 'npm', ['install', ...FROM_CACHE_IF_POSSIBLE]);
    expect(stderr).not.toMatch(/warn/i);
    await run(folder, 'npm', ['run', 'typecheck']);
    await run(folder, 'npm', ['run', 'build']);
  });

  it('passes its own tests', async () => {
    const { stderr } = await run(folder, 'npm', ['test']);
    expect(stderr).toMatch(/Tests: +\d\d passed/);
  });

  it('migrates by the command line', async () => {
    const environment = {
      DATABASE_URL: postgres.url,
      TENANCY_MASTER_KEY: 'a-master-key-for-tests-of-32-characters',
      METRICS_TOKEN: 'a-metrics-token',
    };
    const { stdout } = await run(folder, 'npm', ['run', 'migrate'], environment);
    expect(stdout).toContain('template: CreateOrders1700000000000, CreateDailySummaries1700000001000');
    // Entities and migrations agree.
    const generated = ['run', 'migration:generate', '--', 'src/database/migrations/nothing'];
    await expect(run(folder, 'npm', generated, environment)).rejects.toThrow(
      'No changes in database schema were found',
    );
  });
});
