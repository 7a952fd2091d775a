import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isPlainObject } from '../../common/options/kinds';
import type { FileAbout, FileInfo } from '../file-store';
import { FileDamagedError } from '../files.errors';

/**
 * A file on the disk: the bytes as they came, then what is kept with them as JSON, then the JSON's length in four bytes, the
 * highest first, and eight bytes that say what it is. All of it appears by one rename.
 */
const MAGIC = Buffer.from('tenfile1');
const END_BYTES = 4 + MAGIC.length;
/** Far more than a key and metadata may have. */
const MAX_JSON_BYTES = 65_536;

/** No link is followed, and a pipe does not keep the caller waiting. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What stands behind a file's bytes. */
export function endOf(about: FileAbout & Pick<FileInfo, 'sha256'>): Buffer {
  const json = Buffer.from(JSON.stringify(about));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([json, length, MAGIC]);
}

/** Open to be read. @throws FileDamagedError for a link; the errors of `open()` */
export async function openKept(path: string): Promise<FileHandle> {
  try {
    return await open(path, READ);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP')
      throw new FileDamagedError(path, 'is a symbolic link');
    throw error;
  }
}

/** How many bytes a file has, and how many the JSON behind them. @throws FileDamagedError */
export async function sizesOf(handle: FileHandle, path: string) {
  const stats = await handle.stat();
  if (!stats.isFile()) throw new FileDamagedError(path, 'is no file');
  const end = await read(handle, Math.max(0, stats.size - END_BYTES), END_BYTES);
  const json = end.length === END_BYTES ? end.readUInt32BE() : 0;
  const size = stats.size - END_BYTES - json;
  if (!end.subarray(4).equals(MAGIC) || json > MAX_JSON_BYTES || size < 0)
    throw new FileDamagedError(path, 'is not as it was written');
  return { size, json, modifiedAt: new Date(stats.mtimeMs) };
}

/** @throws FileDamagedError */
export async function infoOf(handle: FileHandle, path: string, key: string): Promise<FileInfo> {
  const { size, json, modifiedAt } = await sizesOf(handle, path);
  const about = parse((await read(handle, size, json)).toString()) as Partial<FileInfo> | undefined;
  if (!about || typeof about.contentType !== 'string' || typeof about.sha256 !== 'string')
    throw new FileDamagedError(path, 'is not as it was written');
  const { contentType, metadata = {}, sha256 } = about;
  return { key, size, contentType, metadata, sha256, modifiedAt };
}

async function read(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function parse(json: string): unknown {
  try {
    const value: unknown = JSON.parse(json);
    return isPlainObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
