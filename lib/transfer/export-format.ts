import { createHash, createHmac } from 'node:crypto';
import type { SeenMigration } from '../provisioning/tenant-versions';
import type { Tenant } from '../registry/tenant';

/** What every export begins with, once it is out of its envelope and unzipped. The number is that of the format. */
export const MAGIC = Buffer.from('nestjs-tenancy export 1\n');

/**
 * What follows is frames: a letter, the payload's length as four bytes with the highest first, and the payload.
 *
 * `H` header (JSON) · `S` seal (32 bytes) · for each table `T` its name (JSON), `R` its rows as COPY writes them, in
 * pieces, `E` how many they were (JSON) · `Z` how many tables and rows there were (JSON) · `S` seal, and the end.
 */
export type FrameType = 'H' | 'S' | 'T' | 'R' | 'E' | 'Z';

/** Of the letter and the length. */
export const FRAME_HEAD_BYTES = 5;

/** The longest payloads that are read. How long a header may be is for whoever imports to say. */
export const MAX_PAYLOAD_BYTES: Readonly<Record<Exclude<FrameType, 'H'>, number>> = {
  S: 32,
  T: 64 * 1024,
  R: 16 * 1024 * 1024,
  E: 64 * 1024,
  Z: 64 * 1024,
};

/** A table, and those of its columns that have values of their own: generated ones are computed again. */
export interface ExportedTable {
  readonly name: string;
  readonly columns: readonly string[];
}

export interface ExportHeader {
  /** `hmac-sha256`: with a key, and from before exports with a key came in an envelope. */
  readonly seal: 'sha256' | 'hmac-sha256';
  readonly exportedAt: string;
  /** Of the server that it comes from, such as 180004. */
  readonly postgres: number;
  readonly tenant: Pick<Tenant, 'id' | 'slug' | 'name' | 'status' | 'statusReason' | 'domains' | 'metadata'>;
  /** In the order in which they ran. */
  readonly migrations: readonly SeenMigration[];
  /** Of the structure, by that server's version. */
  readonly fingerprint: string;
  /** The same without code, which some prints otherwise once it is made from its print. Absent in older exports. */
  readonly codeless?: string;
  /** What there is, by kind and name: `column orders.id`. Alike in all versions. */
  readonly objects: readonly string[];
  /** DDL, in an order that works. None names a schema of its own. */
  readonly statements: readonly string[];
  /** How many of them come before rows. */
  readonly rowsAt: number;
  readonly tables: readonly ExportedTable[];
}

/**
 * Grows with all that is written or read but seals, and makes the seals: SHA-256 of it, or with a key HMAC-SHA-256 of
 * that. A seal stands behind the header, so that no DDL is run before it is known to be whole, and at the end.
 */
export class RunningSeal {
  readonly #hash = createHash('sha256');

  add(bytes: Buffer): void {
    this.#hash.update(bytes);
  }

  now(key?: string): Buffer {
    const digest = this.#hash.copy().digest();
    return key === undefined ? digest : createHmac('sha256', key).update(digest).digest();
  }
}

/** Too short a key could be guessed. @throws RangeError */
export function checkKey(key: string | undefined): void {
  if (key === undefined || (typeof key === 'string' && key.length >= 32)) return;
  throw new RangeError('The key of an export must have at least 32 characters: openssl rand -hex 32');
}
