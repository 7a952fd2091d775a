import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CommandLineError } from './cli.errors';

/** The fields of a package.json that we read. */
interface Manifest {
  readonly type?: unknown;
  readonly tenancy?: { readonly module?: unknown };
}

/**
 * The package.json that applies to a directory, which need not exist yet. @throws CommandLineError when it cannot be
 * read
 */
export function nearestManifest(directory: string): { directory: string; content: Manifest } | undefined {
  const path = resolve(directory);
  const file = join(path, 'package.json');
  if (existsSync(file)) return { directory: path, content: read(file) };
  const parent = dirname(path);
  return parent === path ? undefined : nearestManifest(parent);
}

function read(file: string): Manifest {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  } catch (error) {
    throw new CommandLineError(`${file} cannot be read: ${String(error)}`, { cause: error });
  }
}
