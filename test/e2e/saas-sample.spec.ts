import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { INestApplication } from '@nestjs/common';
import { createApp } from '../../sample/02-saas/src/create-app';
import { AppLogger } from '../../sample/02-saas/src/logging/app-logger';
import { REPOSITORY } from '../support/commands';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { codeBlocks, outputPattern, transcript } from '../support/readme';

const SAMPLE = 'sample/02-saas';
const TESTS = join(REPOSITORY, SAMPLE, 'test');

const steps = codeBlocks(`${SAMPLE}/README.md`)
  .filter(({ test }) => test === 'transcript')
  .flatMap(transcript);

describe('The sample of a product', () => {
  const environment = { ...process.env };
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
    Object.assign(process.env, {
      DATABASE_URL: database.url,
      TENANCY_MASTER_KEY: 'a-master-key-for-tests-of-32-characters',
      METRICS_TOKEN: 'a-metrics-token-for-tests',
    });
  });
  afterAll(async () => {
    process.env = environment;
    await database.drop();
  });

  describe('has a README', () => {
    let app: INestApplication;
    let folder: string;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'saas-'));
      app = await createApp(new AppLogger({ write: () => undefined }), { abortOnError: false });
      await app.listen(0, '127.0.0.1');
    });
    afterAll(async () => {
      await app?.close();
      rmSync(folder, { recursive: true });
    });

    it('that does what it says, as written', async () => {
      const { port } = new URL(await app.getUrl());
      expect(steps.filter(({ output }) => output)).toHaveLength(17);
      const ran: string[] = [];
      for (const { command, output } of steps) {
        // A shell each, with what the reader has set by then: only assignments and files stay.
        const { stdout } = await promisify(execFile)(
          'bash',
          ['-c', [...ran, command].join('\n').replaceAll('localhost:3000', `127.0.0.1:${port}`)],
          { cwd: folder, env: process.env },
        );
        if (output) expect(stdout.trimEnd()).toMatch(outputPattern(output));
        if (/^[A-Z]+=/.test(command)) ran.push(command);
      }
    });
  });

  // As its user runs them, but on the database above.
  for (const name of readdirSync(TESTS).filter((file) => file.endsWith('.e2e-spec.ts')))
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    describe(`has tests, ${name}:`, () => void require(join(TESTS, name)));
});
