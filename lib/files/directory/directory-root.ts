import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Uploads of all tenants, until they are complete. */
export const UPLOADS = 'uploads';

/** What a killed process has left is removed after a day: no upload takes as long. */
const STALE_UPLOAD_MS = 86_400_000;

export const WRITE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Only the application reads what it keeps. */
export const OWN_FILE = 0o600;
export const OWN_DIRECTORY = 0o700;

/** Makes the directory where it is not there, and removes what killed processes have left. Returns its real path. */
export async function openRoot(path: string): Promise<string> {
  await mkdir(join(path, UPLOADS), { recursive: true, mode: OWN_DIRECTORY });
  const root = await realpath(path);
  const uploads = join(root, UPLOADS);
  const names = await readdir(uploads);
  // A disk that is full or that cannot be written to is read all the same, and cleaned at another start.
  const now = names.length > 0 ? await fileSystemTime(uploads).catch(() => -Infinity) : 0;
  for (const name of names) {
    const upload = join(uploads, name);
    const stats = await stat(upload).catch(() => undefined);
    if (stats && now - stats.mtimeMs > STALE_UPLOAD_MS) await rm(upload, { force: true });
  }
  return root;
}

/** By a process's own clock, which may be ahead, the uploads of the others would all be old. */
async function fileSystemTime(directory: string): Promise<number> {
  const path = join(directory, randomUUID());
  const handle = await open(path, WRITE_NEW, OWN_FILE);
  try {
    return (await handle.stat()).mtimeMs;
  } finally {
    await handle.close();
    await rm(path, { force: true });
  }
}
