import { join } from 'node:path';

interface Packed {
  readonly folder: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** What `npm pack` has made of the repository: `global-setup.ts`. */
export function packed(): Packed {
  return JSON.parse(process.env.PACKED!) as Packed;
}

/** What an application's package.json names to install it. */
export function tarball(): string {
  const { folder, filename } = packed();
  return `file:${join(folder, filename)}`;
}

export const FROM_CACHE_IF_POSSIBLE = ['--prefer-offline', '--no-audit', '--no-fund'];
