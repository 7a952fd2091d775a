import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FilePage } from '../file-store';
import { readName } from './disk-names';

interface Wanted {
  readonly prefix: Buffer;
  readonly after?: Buffer;
}

interface Entry {
  readonly key: Buffer;
  /** Of a directory, where keys that begin with `key` go on. */
  readonly path?: string;
}

/** The first keys below a tenant's directory, in the order of their bytes. Memory is bounded by `limit`. */
export async function listKeys(directory: string, { prefix, after, limit }: FilePage): Promise<string[]> {
  const wanted = { prefix: Buffer.from(prefix), after: after === undefined ? undefined : Buffer.from(after) };
  const keys = await collect({ key: Buffer.alloc(0), path: directory }, wanted, limit);
  return keys.map((key) => key.toString());
}

async function collect(from: Required<Entry>, wanted: Wanted, limit: number): Promise<Buffer[]> {
  let files: Entry[] = [];
  const directories: Entry[] = [];
  for await (const entry of await opendir(from.path)) {
    const name = readName(entry.name);
    if (!name) continue;
    const key = Buffer.concat([from.key, name.bytes]);
    if (name.kind === 'directory') {
      if (entry.isDirectory() && mayHold(key, wanted))
        directories.push({ key, path: join(from.path, entry.name) });
    } else if (entry.isFile() && isWanted(key, wanted)) {
      files.push({ key });
      if (files.length >= 4 * limit) files = inOrder(files).slice(0, limit);
    }
  }
  const found: Buffer[] = [];
  for (const { key, path } of inOrder([...files, ...directories])) {
    if (found.length >= limit) break;
    if (path === undefined) found.push(key);
    else found.push(...(await collect({ key, path }, wanted, limit - found.length)));
  }
  return found;
}

/** The file of a key comes before the directory of those that go on from it. */
function inOrder(entries: Entry[]): Entry[] {
  return entries.sort(
    (one, other) =>
      Buffer.compare(one.key, other.key) || Number(one.path !== undefined) - Number(other.path !== undefined),
  );
}

function isWanted(key: Buffer, { prefix, after }: Wanted): boolean {
  return startsWith(key, prefix) && (after === undefined || Buffer.compare(key, after) > 0);
}

function mayHold(beginning: Buffer, { prefix, after }: Wanted): boolean {
  return (
    (startsWith(beginning, prefix) || startsWith(prefix, beginning)) &&
    (after === undefined || startsWith(after, beginning) || Buffer.compare(beginning, after) > 0)
  );
}

function startsWith(bytes: Buffer, beginning: Buffer): boolean {
  return bytes.subarray(0, beginning.length).equals(beginning);
}
