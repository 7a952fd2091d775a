import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What `npm pack --json` has printed, in the folder of the package. */
export const PACK_REPORT = 'report.json';

interface Packed {
  readonly folder: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** What `npm pack` has made of the repository: `global-setup.ts`. */
export function packed(): Packed {
  const folder = process.env.PACKED!;
  const [report] = JSON.parse(readFileSync(join(folder, PACK_REPORT), 'utf8')) as [Omit<Packed, 'folder'>];
  return { folder, ...report };
}

/** What an application's package.json names to install it. */
export function tarball(): string {
  const { folder, filename } = packed();
  return `file:${join(folder, filename)}`;
}

export const FROM_CACHE_IF_POSSIBLE = ['--prefer-offline', '--no-audit', '--no-fund'];
