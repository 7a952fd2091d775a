import type { Readable } from 'node:stream';
import type { CopyObjectCommandInput } from '@aws-sdk/client-s3';
import { checkArguments } from '../../common/options/check-options';
import { isAccepted } from '../../common/options/kinds';
import { TenancyUnavailableError } from '../../common/tenancy.errors';
import {
  type BeforeKept,
  bytesOf,
  type FileAbout,
  type FileInfo,
  type FileLink,
  type FilePage,
  type FilePlace,
  type FileRange,
  FileStore,
  type FileUpload,
  type ListedFile,
  type OpenedFile,
  type SignedUpload,
} from '../file-store';
import { FileRangeError } from '../files.errors';
import { toHeaders, toInfo } from './s3-about';
import { isNamed, loadPresigner, S3Calls } from './s3-calls';
import { S3Keys } from './s3-keys';
import { HashedParts, S3Uploads } from './s3-upload';
import { CheckedS3Options, type S3FileStoreOptions } from './s3.options';

/** As many as S3 lists and deletes at once. */
const MAX_PAGE = 1_000;

const NOT_S3 = 'What answers does not speak as S3 does.';

/**
 * Files in a bucket of S3, or of a store that speaks as S3 does. Needs the package `@aws-sdk/client-s3`, and for signed URLs
 * `@aws-sdk/s3-request-presigner`.
 */
export class S3FileStore extends FileStore {
  readonly #calls: S3Calls;
  readonly #keys: S3Keys;
  readonly #uploads: S3Uploads;

  /** @throws TypeError for options that cannot be used, PackageMissingError */
  constructor(given: S3FileStoreOptions) {
    super();
    const options = checkArguments('new S3FileStore()', CheckedS3Options, given);
    this.#calls = new S3Calls(options);
    this.#keys = new S3Keys(options.prefix);
    this.#uploads = new S3Uploads(this.#calls, this.#keys.uploads);
  }

  /**
   * A file of one part is sent when its hash is known, as one object. A larger one waits elsewhere until all of it is there, since
   * S3 takes what is to be known of an object before its bytes; then S3 copies it, which is seen as a whole or not at all.
   */
  async put(
    place: FilePlace,
    body: AsyncIterable<Uint8Array>,
    about: FileAbout,
    beforeKept: BeforeKept,
  ): Promise<FileInfo> {
    const object = this.#keys.of(place);
    const parts = new HashedParts(body);
    try {
      const first = (await parts.next())!;
      const second = await parts.next();
      if (second === undefined) {
        const sha256 = parts.sha256();
        await beforeKept(parts.size);
        const headers = toHeaders(about, sha256);
        const tag = await this.#send(object, first, headers);
        return await this.#told({ key: place.key, size: parts.size, ...about, sha256 }, object, tag);
      }
      return await this.#uploads.send(
        allOf(first, second, parts),
        () => beforeKept(parts.size),
        async (upload) => {
          const kept = { key: place.key, size: parts.size, ...about, sha256: parts.sha256() };
          const headers = { MetadataDirective: 'REPLACE', ...toHeaders(about, kept.sha256) } as const;
          const tag = await this.#copy(upload, object, headers);
          if (tag === undefined) throw lost('The upload was removed before it was complete.');
          return this.#told(kept, object, tag);
        },
      );
    } finally {
      await parts.close();
    }
  }

  async open(place: FilePlace, range?: FileRange): Promise<OpenedFile | undefined> {
    const object = this.#keys.of(place);
    if (range && !isRange(range)) return this.#refuse(place);
    const { client, s3 } = this.#calls;
    const Range =
      range && `bytes=${'last' in range ? `-${range.last}` : `${range.start}-${range.end ?? ''}`}`;
    const found = await this.#calls
      .find((options) => client.send(new s3.GetObjectCommand({ ...this.#at(object), Range }), options))
      .catch((error: unknown) => {
        if (isNamed((error as Error).cause, 'InvalidRange')) return this.#refuse(place);
        throw error;
      });
    if (!found) return undefined;
    const stream = found.Body as Readable;
    try {
      const part = partOf(found.ContentRange);
      const size = part?.size ?? found.ContentLength ?? 0;
      const info = toInfo(place.key, size, this.#nameOf(object), found);
      if (!range) return { info, stream };
      // A server that does not know ranges gives the whole file.
      if (!part) throw lost('It does not give parts of files.');
      return { info, stream, range: { start: part.start, end: part.end } };
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  async head(place: FilePlace): Promise<FileInfo | undefined> {
    const object = this.#keys.of(place);
    return (await this.#head(object, place.key))?.info;
  }

  async remove(place: FilePlace): Promise<void> {
    const { client, s3 } = this.#calls;
    const object = this.#keys.of(place);
    await this.#calls.find((options) => client.send(new s3.DeleteObjectCommand(this.#at(object)), options));
  }

  async list(owner: string, page: FilePage): Promise<{ files: ListedFile[]; next?: string }> {
    const own = this.#keys.ofAll(owner);
    let after = page.after === undefined ? undefined : own + page.after;
    for (;;) {
      const { objects, isMore } = await this.#list(own + page.prefix, after, page.limit);
      const files = objects.flatMap(({ object, size, modifiedAt }): ListedFile[] => {
        const key = this.#keys.read(owner, object);
        return key === undefined ? [] : [{ key, size, modifiedAt }];
      });
      if (files.length > 0 || !isMore) return { files, next: isMore ? files.at(-1)!.key : undefined };
      after = objects.at(-1)!.object;
    }
  }

  async copy(from: FilePlace, to: FilePlace, beforeKept: BeforeKept): Promise<FileInfo | undefined> {
    const [source, target] = [this.#keys.of(from), this.#keys.of(to)];
    const found = await this.#head(source, from.key);
    if (!found) return undefined;
    await beforeKept(found.info.size);
    // S3 copies no object onto itself that would stay as it is.
    if (source === target) return found.info;
    const tag = await this.#copy(source, target, { CopySourceIfMatch: found.tag });
    if (tag === undefined) return undefined;
    // Not all that speak as S3 does heed the condition. Then it is another version, whole and with its own hash.
    const made = await this.#head(target, to.key).catch(() => undefined);
    return made?.info ?? { ...found.info, key: to.key };
  }

  async removeAll(owner: string): Promise<void> {
    const { bucket: Bucket, client, s3 } = this.#calls;
    for (;;) {
      const { objects } = await this.#list(this.#keys.ofAll(owner), undefined, MAX_PAGE);
      if (objects.length === 0) return;
      const Delete = { Objects: objects.map(({ object }) => ({ Key: object })), Quiet: true };
      const { Errors = [] } = await this.#calls.make((options) =>
        client.send(new s3.DeleteObjectsCommand({ Bucket, Delete }), options),
      );
      if (Errors.length > 0) throw lost(`It does not delete ${Errors[0].Key}: ${Errors[0].Code}.`);
    }
  }

  /** An address of S3 itself. Credentials that end earlier end it, too. */
  override async signedUrl(place: FilePlace, { expiresInMs, disposition }: FileLink): Promise<string> {
    const { client, s3 } = this.#calls;
    const object = this.#keys.of(place);
    const command = new s3.GetObjectCommand({ ...this.#at(object), ResponseContentDisposition: disposition });
    const { getSignedUrl } = loadPresigner();
    return this.#calls.make(() =>
      getSignedUrl(client, command, { expiresIn: Math.ceil(expiresInMs / 1_000) }),
    );
  }

  /** A part that a file does not have. */
  async #refuse(place: FilePlace): Promise<undefined> {
    const known = await this.head(place);
    if (known) throw new FileRangeError(known.size);
    return undefined;
  }

  /**
   * Signed with all that is to be known of the file, so that S3 takes no other bytes, as long as it heeds
   * `x-amz-checksum-sha256`.
   */
  override async signedUpload(
    place: FilePlace,
    { about, size, sha256, expiresInMs }: FileUpload,
  ): Promise<SignedUpload> {
    const { client, s3 } = this.#calls;
    const { ContentType, Metadata } = toHeaders(about, sha256);
    const ChecksumSHA256 = Buffer.from(sha256, 'hex').toString('base64');
    const command = new s3.PutObjectCommand({
      ...this.#at(this.#keys.of(place)),
      ...{ ContentType, Metadata, ChecksumSHA256, ContentLength: size },
    });
    const headers: Record<string, string> = {
      'content-type': ContentType,
      'x-amz-checksum-sha256': ChecksumSHA256,
      ...Object.fromEntries(Object.entries(Metadata).map(([name, text]) => [`x-amz-meta-${name}`, text])),
    };
    const { getSignedUrl } = loadPresigner();
    const signed = {
      expiresIn: Math.ceil(expiresInMs / 1_000),
      unhoistableHeaders: new Set(Object.keys(headers)),
      // A client says by itself how many bytes it sends.
      signableHeaders: new Set(['host', 'content-length', ...Object.keys(headers)]),
    };
    return { url: await this.#calls.make(() => getSignedUrl(client, command, signed)), headers };
  }

  #at(object: string): { Bucket: string; Key: string } {
    return { Bucket: this.#calls.bucket, Key: object };
  }

  #nameOf(object: string): string {
    return `s3://${this.#calls.bucket}/${object}`;
  }

  /** Gives the tag of the new object. */
  async #send(object: string, bytes: Buffer, headers: ReturnType<typeof toHeaders>): Promise<string> {
    const { client, s3 } = this.#calls;
    const { ETag } = await this.#calls.make((options) =>
      client.send(new s3.PutObjectCommand({ ...this.#at(object), Body: bytes, ...headers }), options),
    );
    if (ETag === undefined) throw lost(NOT_S3);
    return ETag;
  }

  async #head(
    object: string,
    key: string,
    IfMatch?: string,
  ): Promise<{ info: FileInfo; tag?: string } | undefined> {
    const { client, s3 } = this.#calls;
    const found = await this.#calls.find((options) =>
      client.send(new s3.HeadObjectCommand({ ...this.#at(object), IfMatch }), options),
    );
    if (!found) return undefined;
    const info = toInfo(key, found.ContentLength ?? 0, this.#nameOf(object), found);
    return { info, tag: found.ETag };
  }

  /** Within S3, with the headers of the source unless others are given. Gives the new object's tag. */
  async #copy(from: string, to: string, more: Partial<CopyObjectCommandInput>): Promise<string | undefined> {
    const { bucket, client, s3 } = this.#calls;
    const command = new s3.CopyObjectCommand({
      ...this.#at(to),
      CopySource: `${bucket}/${from.split('/').map(encodeURIComponent).join('/')}`,
      ...more,
    });
    const made = await this.#calls.copy((options) => client.send(command, options));
    if (made && made.CopyObjectResult?.ETag === undefined) throw lost(NOT_S3);
    return made?.CopyObjectResult?.ETag;
  }

  /** With the time that S3 has given it. When that cannot be had, the file is kept all the same. */
  async #told(kept: Omit<FileInfo, 'modifiedAt'>, object: string, tag: string): Promise<FileInfo> {
    const now = new Date(Math.floor(Date.now() / 1_000) * 1_000);
    const found = await this.#head(object, kept.key, tag).catch(() => undefined);
    return { ...kept, modifiedAt: found?.info.modifiedAt ?? now };
  }

  async #list(Prefix: string, StartAfter: string | undefined, MaxKeys: number) {
    const { bucket: Bucket, client, s3 } = this.#calls;
    // Not all characters of a key can stand in XML.
    const command = new s3.ListObjectsV2Command({ Bucket, Prefix, StartAfter, MaxKeys, EncodingType: 'url' });
    const { Contents = [], IsTruncated } = await this.#calls.make((options) => client.send(command, options));
    // Else the page of a proxy would be a list without files.
    if (IsTruncated === undefined) throw lost(NOT_S3);
    const objects = Contents.map(({ Key = '', Size = 0, LastModified = new Date(0) }) => ({
      object: decodeURIComponent(Key.replaceAll('+', ' ')),
      size: Size,
      modifiedAt: LastModified,
    }));
    return { objects, isMore: IsTruncated && objects.length > 0 };
  }
}

async function* allOf(first: Buffer, second: Buffer, rest: HashedParts): AsyncGenerator<Buffer> {
  yield first;
  yield second;
  for (let part = await rest.next(); part; part = await rest.next()) yield part;
}

/** Whether there could be a file with this part. Of what no file has, S3 would give all of it. */
function isRange(range: FileRange): boolean {
  return isAccepted(() => bytesOf(range, Number.MAX_SAFE_INTEGER, () => new Error()));
}

/** `bytes 2-4/10` */
function partOf(header: string | undefined): { start: number; end: number; size: number } | undefined {
  const [, start, end, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(header ?? '') ?? [];
  return start === undefined ? undefined : { start: Number(start), end: Number(end), size: Number(size) };
}

function lost(why: string): TenancyUnavailableError {
  return new TenancyUnavailableError('The file store', { cause: new Error(why) });
}
