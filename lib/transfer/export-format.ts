import { createHash, createHmac } from 'node:crypto';
import type { SeenMigration } from '../provisioning/template/tenant-versions';
import type { Tenant } from '../registry/tenant';

/**
 * The beginning of every export, after it was decrypted and unzipped. The number is the version of the format: 2 where
 * items of modules follow the tables, so that a package which knows only 1 does not pass over them.
 */
export const MAGIC = Buffer.from('nestjs-tenancy export 1\n');
export const MAGIC_WITH_ITEMS = Buffer.from('nestjs-tenancy export 2\n');

/**
 * Sections follow: a letter, the payload's length in four bytes, the highest first, and the payload.
 *
 * `H` header (JSON) · `S` seal (32 bytes) · for each table `T` its name (JSON), `R` its rows in the format of COPY, in
 * pieces, `E` their number (JSON) · for each module `P` its name (JSON), for each of its items `I` what is said of it
 * (JSON) and `B` its bytes in pieces, `Q` how many items and bytes there were (JSON) · `Z` the number of tables (JSON) ·
 * `S` seal, and the end.
 */
export type SectionType = 'H' | 'S' | 'T' | 'R' | 'E' | 'P' | 'I' | 'B' | 'Q' | 'Z';

/** The letter and the length. */
export const SECTION_HEAD_BYTES = 5;

/** The longest payloads that are accepted. For headers the importer chooses the limit. */
export const MAX_PAYLOAD_BYTES: Readonly<Record<Exclude<SectionType, 'H'>, number>> = {
  S: 32,
  T: 64 * 1024,
  R: 16 * 1024 * 1024,
  E: 64 * 1024,
  P: 64 * 1024,
  I: 64 * 1024,
  B: 16 * 1024 * 1024,
  Q: 64 * 1024,
  Z: 64 * 1024,
};

/** A table and its columns that are exported. Generated columns are computed again. */
export interface ExportedTable {
  readonly name: string;
  readonly columns: readonly string[];
}

export interface ExportHeader {
  /** `hmac-sha256` stands in exports with a key from before these were put into an envelope. */
  readonly seal: 'sha256' | 'hmac-sha256';
  readonly exportedAt: string;
  /** The version of the server that it comes from, such as 180004. */
  readonly postgres: number;
  readonly tenant: Pick<Tenant, 'id' | 'slug' | 'name' | 'status' | 'statusReason' | 'domains' | 'metadata'>;
  /** In the order in which they were run. */
  readonly migrations: readonly SeenMigration[];
  /** The fingerprint of the structure, which depends on that server's version. */
  readonly fingerprint: string;
  /**
   * The fingerprint without code, because some code prints differently after it was made from a print. Absent in older
   * exports.
   */
  readonly codeless?: string;
  /** All objects, by kind and name: `column orders.id`. They are equal in all versions. */
  readonly objects: readonly string[];
  /** DDL, in an order that works. No statement names the exported schema. */
  readonly statements: readonly string[];
  /** How many of them run before rows are copied. */
  readonly rowsAt: number;
  readonly tables: readonly ExportedTable[];
  /** What items of modules follow the tables, by name. Absent where there are none. */
  readonly items?: readonly string[];
}

/**
 * Hashes all that is written or read except seals, and computes the seals: the SHA-256, or with a key its HMAC-SHA-256.
 * One seal follows the header, so that its DDL is known to be complete before it is run, and one stands at the end.
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

/** A short key could be guessed. @throws RangeError when it has less than 32 characters */
export function checkKey(key: string | undefined): void {
  if (key === undefined || (typeof key === 'string' && key.length >= 32)) return;
  throw new RangeError('The key of an export must have at least 32 characters: openssl rand -hex 32');
}
