import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { codeBlocks, outputPattern, transcript } from '../support/readme';
import { ADAPTERS, MASTER_KEY, type SampleApp, startSampleApp } from '../support/sample-app';

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
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples('README.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    const { AppModule } = await examples.import('app.module.ts');
    const { ReportService } = await examples.import('report.service.ts');
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
    examples.remove();
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
    expect(examples.compileErrors()).toBe('');
  });

  it('does what it says', async () => {
    await call('/admin/tenants', { 'x-master-key': MASTER_KEY }, { slug: 'acme' });
    await call('/admin/tenants', { 'x-master-key': MASTER_KEY }, { slug: 'globex' });
    const order = await call('/orders', { 'x-tenant-id': 'acme' }, { description: 'tea' });
    expect(await call('/orders', { 'x-tenant-id': 'acme' })).toEqual({ tenant: 'acme', orders: [order] });
    expect(await call('/orders', { 'x-tenant-id': 'globex' })).toEqual({ tenant: 'globex', orders: [] });
    expect(await call('/orders/price-list', {})).toEqual({ tea: 2 });
    const { ReportService } = await examples.import('report.service.ts');
    expect(await app.get(ReportService).ordersByTenant()).toEqual({ acme: 1, globex: 0 });
  });
});
