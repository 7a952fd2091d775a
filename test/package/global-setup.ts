import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import startServer from '../support/global-setup';
import { REPOSITORY, run } from '../support/commands';

/** Builds and packs once for all suites, which find what `npm pack` says in `PACKED`. */
export default async function globalSetup(): Promise<void> {
  await startServer();
  const folder = await mkdtemp(join(tmpdir(), 'packed-'));
  await run(REPOSITORY, 'npm', ['run', 'build']);
  const { stdout } = await run(REPOSITORY, 'npm', ['pack', '--json', '--pack-destination', folder]);
  process.env.PACKED = JSON.stringify({ folder, ...(JSON.parse(stdout) as [object])[0] });
}
