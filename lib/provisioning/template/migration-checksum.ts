import { createHash } from 'node:crypto';
import type { MigrationInterface } from 'typeorm';

/**
 * SHA-256 of a migration's source as Node sees it, in hex; white space does not count. A build with another compiler
 * may change it, so a difference is a warning to people, never a reason to run or to refuse.
 */
export function checksumOf({ constructor }: MigrationInterface): string {
  const source = Function.prototype.toString.call(constructor).replaceAll(/\s+/g, ' ');
  return createHash('sha256').update(source).digest('hex');
}
