import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import startServer from '../support/global-setup';
import { REPOSITORY, run } from '../support/commands';
import { PACK_REPORT } from './packed';

/** Builds and packs once for all suites, which find what `npm pack` says in the folder `PACKED`: a variable has its bound. */
export default async function globalSetup(): Promise<void> {
  await startServer();
  const folder = await mkdtemp(join(tmpdir(), 'packed-'));
  await run(REPOSITORY, 'npm', ['run', 'build']);
  const { stdout } = await run(REPOSITORY, 'npm', ['pack', '--json', '--pack-destination', folder]);
  await writeFile(join(folder, PACK_REPORT), stdout);
  process.env.PACKED = folder;
}
