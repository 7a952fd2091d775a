import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tenant } from '../../lib';
import { DirectoryFileStore, type FileStore } from '../../lib/files';

/** A store that keeps files, and what a test sees behind its back. */
export interface StoreOfFiles {
  readonly store: FileStore;
  /** How many bytes a key may have. */
  room(tenant: Tenant): number;
  /** Whose files there are. */
  owners(): Promise<string[]>;
  /** What is on its way, or was left there. */
  uploads(): Promise<string[]>;
  /** Changes the first byte of a file. */
  damage(tenant: Tenant, key: string): Promise<void>;
  close(): Promise<void>;
}

export const STORES_OF_FILES: readonly (readonly [name: string, start: () => Promise<StoreOfFiles>])[] = [
  ['a directory', directory],
];

async function directory(): Promise<StoreOfFiles> {
  const root = await mkdtemp(join(tmpdir(), 'files-spec-'));
  const store = new DirectoryFileStore(root);
  // It makes what it needs when it is used.
  await store.head({ owner: 'none', key: 'none' });
  return {
    store,
    room: () => 1_024,
    owners: async () => (await readdir(root)).filter((name) => name.startsWith('t-')).sort(),
    uploads: () => readdir(join(root, 'uploads')),
    damage: async ({ schemaName }, key) => {
      const path = join(root, `t-${schemaName}`, `f-${key}`);
      await writeFile(path, changed(await readFile(path)));
    },
    close: () => rm(root, { recursive: true, force: true }),
  };
}

function changed(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[0] ^= 1;
  return copy;
}
