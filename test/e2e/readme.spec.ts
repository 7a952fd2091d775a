import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { REPOSITORY } from '../support/commands';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { type Examples, writeExamples } from '../support/examples';
import { codeBlocks, outputPattern, transcript } from '../support/readme';
import { ADAPTERS, MASTER_KEY, type SampleApp, startSampleApp } from '../support/sample-app';

describe.each([
  ['README.md', 6, 0],
  ['docs/quick-start.md', 10, 1],
])('%s, what it says to try', (document, curls, tokens) => {
  let sample: SampleApp;
  beforeAll(async () => {
    sample = await startSampleApp(ADAPTERS[0][1], () => ({
      TENANCY_JWT_SECRET: randomBytes(32).toString('hex'),
    }));
  });
  afterAll(async () => {
    delete process.env.TENANCY_JWT_SECRET;
    await sample.close();
  });

  const steps = codeBlocks(document)
    .filter(({ test }) => test === 'transcript')
    .flatMap(transcript);
  const commands = steps.filter(({ command }) => command.startsWith('curl'));
  /** Of a token, say; what the reader must find out has an ellipsis, and is in our environment. */
  const assignments = steps.filter(({ command }) => /^[A-Z]+=[^…]+$/.test(command));

  it('has commands to try', () => expect([commands.length, assignments.length]).toEqual([curls, tokens]));

  it.each(commands)('$command', async ({ command, output }) => {
    const port = new URL(sample.url).port;
    const { stdout } = await promisify(execFile)(
      'bash',
      [
        '-c',
        [...assignments.map((each) => each.command), command]
          .join('\n')
          .replaceAll('localhost:3000', `localhost:${port}`),
      ],
      { cwd: REPOSITORY, env: { ...process.env, KEY: MASTER_KEY } },
    );
    // Where no answer is shown, it is one that a reader expects.
    expect(stdout).toMatch(output === '' ? /^\{"(id|description)":/ : outputPattern(output));
  });
});

describe('README.md, "Quick start"', () => {
  let examples: Examples;
  let database: TestDatabase;
  let app: INestApplication;

  beforeAll(async () => {
    examples = writeExamples('README.md');
    database = await createTestDatabase();
    Object.assign(process.env, { DATABASE_URL: database.url, TENANCY_MASTER_KEY: MASTER_KEY });
    const { AppModule } = await examples.import('app.module.ts');
    const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = testing.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
  });
  afterAll(async () => {
    await app?.close();
    await database.drop();
    examples.remove();
  });

  it('does what it says', async () => {
    const call = async (path: string, headers: Record<string, string>, body?: unknown) => {
      const answer = await fetch((await app.getUrl()) + path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      return answer.json();
    };
    await call('/admin/tenants', { 'x-master-key': MASTER_KEY }, { slug: 'acme' });
    const order = await call('/orders', { 'x-tenant-id': 'acme' }, { description: 'tea' });
    expect(await call('/orders', { 'x-tenant-id': 'acme' })).toEqual({ tenant: 'acme', orders: [order] });
    expect(await call('/orders', {})).toMatchObject({ code: 'TENANT_MISSING' });
  });
});
