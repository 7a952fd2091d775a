import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { crc32 } from 'node:zlib';
import { S3Error } from './s3-error';
import { sha256 } from './signature';

const MAX_KEY_BYTES = 1_024;
const MAX_METADATA_BYTES = 2_048;
const MIN_PART_BYTES = 5 * 1_024 ** 2;
const MAX_COPY_BYTES = 5 * 1_024 ** 3;

export interface StoredObject {
  readonly pieces: readonly Buffer[];
  readonly size: number;
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly modifiedAt: Date;
}

interface Part {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly checksum?: string;
}

export interface Upload {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly asksForChecksums: boolean;
  readonly parts: Map<number, Part>;
  initiatedAt: Date;
}

/** What is kept with an object of the headers that it came with. @throws S3Error */
export function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name]) => name === 'content-type' || name.startsWith('x-amz-meta-'),
  ) as [string, string][];
  const bytes = kept
    .filter(([name]) => name !== 'content-type')
    .reduce((sum, [name, value]) => sum + name.length - 'x-amz-meta-'.length + value.length, 0);
  if (bytes > MAX_METADATA_BYTES) throw new S3Error('MetadataTooLarge');
  return { 'content-type': 'binary/octet-stream', ...Object.fromEntries(kept) };
}

/** What is in a bucket, in memory; equal pieces are there once. The rules are those of S3 that callers run into. */
export class Bucket {
  readonly objects = new Map<string, StoredObject>();
  readonly uploads = new Map<string, Upload>();
  /** As some servers are, which copy an object whatever its tag is. */
  isHeedless = false;
  readonly #pieces = new Map<string, Buffer>();
  #uploadCount = 0;

  get(key: string): StoredObject {
    const found = this.objects.get(key);
    if (!found) throw new S3Error('NoSuchKey');
    return found;
  }

  put(key: string, pieces: readonly Buffer[], headers: Readonly<Record<string, string>>, tag?: string) {
    if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new S3Error('KeyTooLongError');
    const object: StoredObject = {
      pieces: pieces.map((piece) => this.#once(piece)),
      size: pieces.reduce((sum, piece) => sum + piece.length, 0),
      etag: tag ?? tagOf(pieces[0] ?? Buffer.alloc(0)),
      headers,
      modifiedAt: new Date(),
    };
    this.objects.set(key, object);
    return object;
  }

  copy(source: StoredObject, isSame: boolean, key: string, headers: IncomingHttpHeaders): StoredObject {
    const isReplaced = headers['x-amz-metadata-directive'] === 'REPLACE';
    const wanted = headers['x-amz-copy-source-if-match'];
    if (!this.isHeedless && wanted !== undefined && wanted !== source.etag)
      throw new S3Error('PreconditionFailed');
    if ((isSame && !isReplaced) || source.size > MAX_COPY_BYTES) throw new S3Error('InvalidRequest');
    return this.put(key, source.pieces, isReplaced ? keptHeaders(headers) : source.headers, source.etag);
  }

  begin(key: string, headers: IncomingHttpHeaders): string {
    if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new S3Error('KeyTooLongError');
    const id = `upload-${(this.#uploadCount += 1)}`;
    this.uploads.set(id, {
      key,
      headers: keptHeaders(headers),
      asksForChecksums: headers['x-amz-checksum-algorithm'] !== undefined,
      parts: new Map(),
      initiatedAt: new Date(),
    });
    return id;
  }

  upload(id: string): Upload {
    const found = this.uploads.get(id);
    if (!found) throw new S3Error('NoSuchUpload');
    return found;
  }

  addPart(id: string, number: number, bytes: Buffer, checksum: string | undefined): Part {
    const part = { bytes: this.#once(bytes), etag: tagOf(bytes), checksum };
    this.upload(id).parts.set(number, part);
    return part;
  }

  complete(id: string, wanted: readonly { number: number; etag: string; checksum?: string }[]) {
    const { key, headers, parts, asksForChecksums } = this.upload(id);
    const chosen = wanted.map(({ number, etag, checksum }, place) => {
      const part = parts.get(number);
      if (part?.etag !== etag) throw new S3Error('InvalidPart');
      if (asksForChecksums && checksum !== part.checksum) throw new S3Error('InvalidRequest');
      if (place > 0 && number <= wanted[place - 1].number) throw new S3Error('InvalidPartOrder');
      if (place < wanted.length - 1 && part.bytes.length < MIN_PART_BYTES)
        throw new S3Error('EntityTooSmall');
      return part.bytes;
    });
    if (chosen.length === 0) throw new S3Error('MalformedXML');
    this.uploads.delete(id);
    return this.put(key, chosen, headers, `"${'0'.repeat(32)}-${chosen.length}"`);
  }

  list(prefix: string, after: string, limit: number) {
    const found = [...this.objects]
      .filter(([key]) => key.startsWith(prefix) && Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0)
      .sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    return { objects: found.slice(0, limit), isTruncated: found.length > limit };
  }

  #once(piece: Buffer): Buffer {
    const hash = sha256(piece);
    if (!this.#pieces.has(hash)) this.#pieces.set(hash, piece);
    return this.#pieces.get(hash)!;
  }
}

function tagOf(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

/** @throws S3Error when the bytes are not those of the checksum that came with them */
export function requireChecksum(headers: IncomingHttpHeaders, body: Buffer): string | undefined {
  const hash = headers['x-amz-checksum-sha256'];
  if (hash !== undefined && createHash('sha256').update(body).digest('base64') !== hash)
    throw new S3Error('BadDigest');
  const given = headers['x-amz-checksum-crc32'];
  if (given === undefined) return undefined;
  const right = Buffer.alloc(4);
  right.writeUInt32BE(crc32(body));
  if (right.toString('base64') !== given) throw new S3Error('BadDigest');
  return String(given);
}
