import { createHash } from 'node:crypto';
import type { MigrationInterface } from 'typeorm';

/**
 * SHA-256 of a migration's source as Node sees it, in hex, without regard to white space. A build with another compiler
 * may change it, so a difference only leads to a warning: the migration is neither run again nor refused.
 */
export function checksumOf({ constructor }: MigrationInterface): string {
  const source = Function.prototype.toString.call(constructor).replaceAll(/\s+/g, ' ');
  return createHash('sha256').update(source).digest('hex');
}
