import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppModule } from '../../sample/02-saas/app.module';
import { codeBlocks, outputPattern, transcript } from '../support/readme';
import { ADAPTERS, MASTER_KEY, type SampleApp, startSampleApp } from '../support/sample-app';

const steps = codeBlocks('sample/02-saas/README.md')
  .filter(({ test }) => test === 'transcript')
  .flatMap(transcript);

describe.each(ADAPTERS)('The sample of a product with keys on %s', (_platform, adapter) => {
  let sample: SampleApp;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'saas-'));
    sample = await startSampleApp(adapter, undefined, AppModule);
  });
  afterAll(async () => {
    await sample?.close();
    rmSync(folder, { recursive: true });
  });

  it('does what its README says, as written', async () => {
    const { port } = new URL(sample.url);
    expect(steps.filter(({ output }) => output)).toHaveLength(13);
    const ran: string[] = [];
    for (const { command, output } of steps) {
      // A shell each, with what the reader has set by then: only assignments and files stay.
      const { stdout } = await promisify(execFile)(
        'bash',
        ['-c', [...ran, command].join('\n').replaceAll('localhost:3000', `127.0.0.1:${port}`)],
        { cwd: folder, env: { ...process.env, TENANCY_MASTER_KEY: MASTER_KEY } },
      );
      if (output) expect(stdout.trimEnd()).toMatch(outputPattern(output));
      if (/^[A-Z]+=/.test(command)) ran.push(command);
    }
  });

  it('is open to health checks alone', async () => {
    await expect(sample.call('GET /health')).resolves.toMatchObject({ status: 200, body: { status: 'ok' } });
    for (const line of ['GET /orders', 'GET /tenant', 'GET /me', 'GET /tenant/keys', 'GET /tenant/usage'])
      await expect(sample.call(line)).resolves.toMatchObject({ status: 401 });
  });
});
