import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import * as ts from 'typescript';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { codeBlocks, outputPattern, transcript } from '../support/readme';
import { ADAPTERS, MASTER_KEY, type SampleApp, startSampleApp } from '../support/sample-app';

const ROOT = join(__dirname, '../..');
const blocks = codeBlocks('README.md');

describe('README, "Try it"', () => {
  let sample: SampleApp;
  beforeAll(async () => {
    sample = await startSampleApp(ADAPTERS[0][1]);
  });
  afterAll(() => sample.close());

  const steps = blocks.filter(({ test }) => test === 'transcript').flatMap(transcript);
  const commands = steps.filter(({ command }) => command.startsWith('curl'));

  it('has commands to try', () => expect(commands).toHaveLength(7));

  it.each(commands)('$command', async ({ command, output }) => {
    const port = new URL(sample.url).port;
    const { stdout } = await promisify(execFile)(
      'bash',
      ['-c', command.replaceAll('localhost:3000', `localhost:${port}`)],
      {
        env: { ...process.env, KEY: MASTER_KEY },
      },
    );
    expect(stdout).toMatch(outputPattern(output));
  });
});

describe('README, "Quick start"', () => {
  const directory = join(ROOT, '.data', `readme-${process.pid}`);
  const files = blocks
    .filter(({ language }) => language === 'ts')
    .map(({ text }) => ({ path: join(directory, /^\/\/ (\S+)\n/.exec(text)![1]), text }));
  let database: TestDatabase;
  let app: INestApplication;

  beforeAll(async () => {
    mkdirSync(directory, { recursive: true });
    for (const { path, text } of files) writeFileSync(path, text);
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    const { AppModule } = await import(join(directory, 'app.module.ts'));
    const { ReportService } = await import(join(directory, 'report.service.ts'));
    const testing = await Test.createTestingModule({
      imports: [AppModule],
      providers: [ReportService],
    }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
  });
  afterAll(async () => {
    await app?.close();
    await database.drop();
    rmSync(directory, { recursive: true });
  });

  const call = async (path: string, headers: Record<string, string>, body?: unknown) => {
    const init = {
      method: body ? 'POST' : 'GET',
      headers: { 'content-type': 'application/json', ...headers },
    };
    return (
      await fetch((await app.getUrl()) + path, { ...init, body: body && JSON.stringify(body) } as RequestInit)
    ).json();
  };

  it('compiles', () => {
    const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
    const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ROOT);
    const program = ts.createProgram(
      files.map(({ path }) => path),
      options,
    );
    expect(ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), ts.createCompilerHost(options))).toBe('');
  });

  it('does what it says', async () => {
    await call('/admin/tenants', { 'x-master-key': MASTER_KEY }, { slug: 'acme' });
    await call('/admin/tenants', { 'x-master-key': MASTER_KEY }, { slug: 'globex' });
    const order = await call('/orders', { 'x-tenant-id': 'acme' }, { description: 'tea' });
    expect(await call('/orders', { 'x-tenant-id': 'acme' })).toEqual({ tenant: 'acme', orders: [order] });
    expect(await call('/orders', { 'x-tenant-id': 'globex' })).toEqual({ tenant: 'globex', orders: [] });
    expect(await call('/orders/price-list', {})).toEqual({ tea: 2 });
    const { ReportService } = await import(join(directory, 'report.service.ts'));
    expect(await app.get(ReportService).ordersByTenant()).toEqual({ acme: 1, globex: 0 });
  });
});
