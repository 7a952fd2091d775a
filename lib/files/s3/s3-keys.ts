import { checkFileKey } from '../file-checks';
import type { FilePlace } from '../file-store';
import { InvalidFileError } from '../files.errors';

const MAX_BYTES = 1_024;

/** Where objects lie: `<prefix><schema>/<key>`. An upload in parts lies in `<prefix>.uploads/` until it is complete. */
export class S3Keys {
  /** No schema name has a dot. */
  readonly uploads: string;

  constructor(private readonly prefix: string) {
    this.uploads = `${prefix}.uploads/`;
  }

  /** @throws InvalidFileError when S3 has no room for the key */
  of({ owner, key }: FilePlace): string {
    const before = this.ofAll(owner);
    const room = MAX_BYTES - Buffer.byteLength(before);
    if (Buffer.byteLength(key) <= room) return before + key;
    throw new InvalidFileError(
      'key',
      key,
      `S3 takes ${MAX_BYTES} bytes with the name of the tenant's schema before it, so give at most ${room} bytes of UTF-8`,
    );
  }

  /** What all keys of a tenant begin with, and those of no other one. */
  ofAll(owner: string): string {
    return `${this.prefix}${encodeURIComponent(owner)}/`;
  }

  /** The tenant's own name for an object. `undefined` for one that the store has not put there, such as a folder's mark. */
  read(owner: string, object: string): string | undefined {
    const key = object.slice(this.ofAll(owner).length);
    try {
      checkFileKey(key);
      return key;
    } catch {
      return undefined;
    }
  }
}
