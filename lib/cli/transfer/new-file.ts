import { randomBytes } from 'node:crypto';
import { createWriteStream, type WriteStream } from 'node:fs';
import { access, link, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CommandLineError } from '../cli.errors';

/** Only its owner may read it: it holds a customer's rows. */
const MODE = 0o600;

/**
 * A file that is there whole or not at all: `write` is given another one beside it, which takes its name when all is
 * written and on disk, and is removed when it fails.
 *
 * @throws CommandLineError when it is there already and not to be replaced, or cannot be written
 */
export async function writeNewFile<T>(
  file: string,
  { replace }: { readonly replace: boolean },
  write: (stream: WriteStream) => Promise<T>,
): Promise<T> {
  if (!replace && (await exists(file))) throw isThere(file);
  const partial = join(dirname(file), `.${basename(file)}.${randomBytes(4).toString('hex')}.partial`);
  const handle = await open(partial, 'wx', MODE).catch((error: Error) => {
    throw new CommandLineError(`${file} cannot be written: ${error.message}`, { cause: error });
  });
  await handle.close();
  try {
    const result = await write(createWriteStream(partial, { flags: 'r+', flush: true }));
    await take(partial, file, replace);
    return result;
  } finally {
    await rm(partial, { force: true });
  }
}

/** A link fails where the name is taken, at the very moment; not every file system has links. */
async function take(partial: string, file: string, replace: boolean): Promise<void> {
  if (replace) return rename(partial, file);
  try {
    await link(partial, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' || (await exists(file))) throw isThere(file);
    await rename(partial, file);
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

function isThere(file: string): CommandLineError {
  return new CommandLineError(`${file} is there already. Name another file, or add --force to replace it.`);
}
