import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  lstat,
  mkdir,
  open,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  unlink,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { TenancyError, TenancyUnavailableError } from '../../common/tenancy.errors';
import {
  type BeforeKept,
  bytesOf,
  type FileAbout,
  type FileInfo,
  type FilePage,
  type FilePlace,
  type FileRange,
  FileStore,
  type ListedFile,
  type OpenedFile,
} from '../file-store';
import { FileDamagedError, FileRangeError } from '../files.errors';
import { openRoot, OWN_DIRECTORY, OWN_FILE, UPLOADS, WRITE_NEW } from './directory-root';
import { listKeys } from './disk-list';
import { directoryOfOwner, pathOfKey } from './disk-names';
import { endOf, infoOf, openKept, sizesOf } from './kept-file';

/** How often a file is put where its directory has just been taken away. */
const RENAME_TRIES = 20;

/**
 * Files in a directory that nothing else writes to. Several processes may use it, on one machine or over a network file
 * system whose `rename` is atomic.
 */
export class DirectoryFileStore extends FileStore {
  #root?: Promise<string>;

  /** @param path of the directory. It is made when the first file is kept */
  constructor(private readonly path: string) {
    super();
    if (typeof path !== 'string' || path === '' || path.includes('\0'))
      throw new TypeError('DirectoryFileStore takes the path of a directory.');
  }

  async put(
    place: FilePlace,
    body: AsyncIterable<Uint8Array>,
    about: FileAbout,
    beforeKept: BeforeKept,
  ): Promise<FileInfo> {
    return this.#keep(place, async (upload) => {
      const handle = await use(() => open(upload, WRITE_NEW, OWN_FILE));
      try {
        const hash = createHash('sha256');
        let size = 0;
        for await (const bytes of body) {
          hash.update(bytes);
          size += bytes.length;
          await use(() => handle.writeFile(bytes));
        }
        const kept = { ...about, sha256: hash.digest('hex') };
        await use(() => handle.writeFile(endOf(kept)));
        await use(() => handle.sync());
        await beforeKept(size);
        const { mtimeMs } = await use(() => handle.stat());
        return { key: place.key, size, ...kept, modifiedAt: new Date(mtimeMs) };
      } finally {
        await handle.close();
      }
    });
  }

  async open(place: FilePlace, range?: FileRange): Promise<OpenedFile | undefined> {
    const found = await this.#find(place);
    if (!found) return undefined;
    const { handle, path } = found;
    let isHandedOver = false;
    try {
      const info = await use(() => infoOf(handle, path, place.key));
      const part = range && bytesOf(range, info.size, () => new FileRangeError(info.size));
      // Behind the last byte stands what is not the file's.
      const { start, end } = part ?? { start: 0, end: info.size - 1 };
      if (info.size === 0) return { info, stream: Readable.from([]) };
      isHandedOver = true;
      return { info, stream: handle.createReadStream({ start, end }), range: part };
    } finally {
      if (!isHandedOver) await handle.close();
    }
  }

  async head(place: FilePlace): Promise<FileInfo | undefined> {
    return this.#look(place, (handle, path) => infoOf(handle, path, place.key));
  }

  async remove({ owner, key }: FilePlace): Promise<void> {
    const { directories, directory, path } = await this.#pathsOf(owner, key);
    if (!(await this.#isOurs(directory))) return;
    await this.#ifThere(() => unlink(path));
    await this.#ifThere(() => syncDirectory(directory));
    await removeEmpty(directories.slice(1));
  }

  async list(owner: string, page: FilePage): Promise<{ files: ListedFile[]; next?: string }> {
    const { tenant } = await this.#pathsOf(owner);
    const more = { ...page, limit: page.limit + 1 };
    const keys = (await this.#isOurs(tenant))
      ? ((await this.#ifThere(() => listKeys(tenant, more))) ?? [])
      : [];
    const listed = keys.slice(0, page.limit);
    const files: ListedFile[] = [];
    for (const key of listed) {
      const sizes = await this.#look({ owner, key }, sizesOf);
      // One that was removed meanwhile is none.
      if (sizes) files.push({ key, size: sizes.size, modifiedAt: sizes.modifiedAt });
    }
    return { files, next: keys.length > page.limit ? listed.at(-1) : undefined };
  }

  async copy(from: FilePlace, to: FilePlace, beforeKept: BeforeKept): Promise<FileInfo | undefined> {
    const found = await this.#find(from);
    if (!found) return undefined;
    await found.handle.close();
    return this.#keep(to, async (upload) => {
      // Without copying the bytes, where the file system can do that.
      const flags = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
      const isThere = await this.#ifThere(async () => (await copyFile(found.path, upload, flags), true));
      if (!isThere) return undefined;
      const handle = await use(() => open(upload, 'r+'));
      try {
        const info = await use(() => infoOf(handle, found.path, to.key));
        await use(() => handle.sync());
        await beforeKept(info.size);
        return info;
      } finally {
        await handle.close();
      }
    });
  }

  async removeAll(owner: string): Promise<void> {
    const { root, tenant } = await this.#pathsOf(owner);
    await use(() => requireRoot(root));
    // Links are removed, and not followed.
    await use(() => rm(tenant, { recursive: true, force: true, maxRetries: 3 }));
    await use(() => syncDirectory(root));
  }

  /** Writes elsewhere first, so that half a file is never in the place of one. */
  async #keep<Info extends FileInfo | undefined>(
    { owner, key }: FilePlace,
    write: (upload: string) => Promise<Info>,
  ): Promise<Info> {
    const { root, directories, directory, path } = await this.#pathsOf(owner, key);
    await use(() => requireRoot(root));
    if (!(await this.#isOurs(directory))) await this.#ifThere(() => makeDirectories(directories));
    const upload = join(root, UPLOADS, randomUUID());
    try {
      const info = await write(upload);
      if (!info) return info;
      await use(() => renameInto(directories, upload, path));
      await this.#ifThere(() => syncDirectory(directory));
      return info;
    } catch (error) {
      await rm(upload, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  async #look<T>(
    place: FilePlace,
    look: (handle: FileHandle, path: string) => Promise<T>,
  ): Promise<T | undefined> {
    const found = await this.#find(place);
    if (!found) return undefined;
    try {
      return await use(() => look(found.handle, found.path));
    } finally {
      await found.handle.close();
    }
  }

  async #find({ owner, key }: FilePlace): Promise<{ handle: FileHandle; path: string } | undefined> {
    const { directory, path } = await this.#pathsOf(owner, key);
    if (!(await this.#isOurs(directory))) return undefined;
    const handle = await this.#ifThere(() => openKept(path));
    return handle && { handle, path };
  }

  async #pathsOf(owner: string, key = '') {
    const root = await this.#open();
    const { directories: names, name } = pathOfKey(key);
    const tenant = join(root, directoryOfOwner(owner));
    const directories = [tenant, ...names.map((_, index) => join(tenant, ...names.slice(0, index + 1)))];
    const directory = directories.at(-1)!;
    return { root, tenant, directories, directory, path: join(directory, name) };
  }

  /** Whether the directory is there. @throws FileDamagedError when a link leads to it, since that leads anywhere */
  async #isOurs(directory: string): Promise<boolean> {
    const real = await this.#ifThere(() => realpath(directory));
    if (real !== undefined && real !== directory)
      throw new FileDamagedError(directory, 'is behind a symbolic link');
    return real !== undefined;
  }

  /** `undefined` for what is not there; but a disk that is not there is no reason to say that its files are not. */
  async #ifThere<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!isMissing(error)) throw explained(error);
      const root = await this.#open();
      await use(() => requireRoot(root));
      return undefined;
    }
  }

  #open(): Promise<string> {
    this.#root ??= use(() => openRoot(this.path)).catch((error: unknown) => {
      this.#root = undefined;
      throw error;
    });
    return this.#root;
  }
}

/** It was there when the store was opened. */
async function requireRoot(root: string): Promise<void> {
  await stat(join(root, UPLOADS));
}

async function makeDirectories(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    await mkdir(directory, { mode: OWN_DIRECTORY }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
    const stats = await lstat(directory);
    if (!stats.isDirectory()) throw new FileDamagedError(directory, 'is no directory');
    await syncDirectory(dirname(directory));
  }
}

/** The directories of a long key are taken away with the last file in them, whoever removes it. */
async function renameInto(directories: readonly string[], upload: string, path: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      if (tries > 1) await makeDirectories(directories);
      return await rename(upload, path);
    } catch (error) {
      if (!isMissing(error) || tries === RENAME_TRIES) throw error;
      // Of a disk that is gone none is made.
      await stat(upload);
    }
  }
}

/** Those of a long key that hold nothing any more. What cannot be taken away stays until the purge. */
async function removeEmpty(directories: readonly string[]): Promise<void> {
  try {
    for (const directory of [...directories].reverse()) await rmdir(directory);
  } catch {
    // It is not empty, or another has been faster.
  }
}

/** A new name in a directory outlives a loss of power only after that. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Does something with the disk. @throws TenancyUnavailableError when the disk is full, away, or not to be written */
async function use<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explained(error);
  }
}

function explained(error: unknown): unknown {
  return error instanceof TenancyError
    ? error
    : new TenancyUnavailableError('The file store', { cause: error });
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code));
}
