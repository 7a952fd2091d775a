import { Inject, Injectable, Optional } from '@nestjs/common';
import { isInteger } from '../common/options/kinds';
import { type MeteredUse, ResourceMeter } from '../context/resource-meter';
import { TenantContext } from '../context/tenant-context';
import { bounded, type FileBody } from './file-body';
import { checkFileAbout, checkFileKey, checkFilePrefix } from './file-checks';
import { checkExpiry, FileLinks, type SignedUrlOptions } from './file-links';
import type {
  FileAbout,
  FileInfo,
  FilePlace,
  FileRange,
  ListedFile,
  OpenedFile,
  SignedUpload,
} from './file-store';
import { FileNotFoundError, FileTooLargeError, InvalidFileError } from './files.errors';
import { type CheckedFilesOptions, FILES_OPTIONS } from './files.options';

/** What the bytes of files are counted as. */
const METRIC = 'files.bytes';

/** S3 lists no more at once. */
export const MAX_PAGE = 1_000;

export interface PutOptions extends Partial<FileAbout> {
  /** Stops it; nothing is kept. */
  readonly signal?: AbortSignal;
}

/** What is known of a file before it is sent. */
export interface UploadOptions extends Partial<FileAbout> {
  /** In bytes. */
  readonly size: number;
  /** Of the bytes: 64 hexadecimal digits. */
  readonly sha256: string;
  /** How long the URL is good, in milliseconds: an integer from 1,000 to 604,800,000, a week. Default 300,000, five minutes. */
  readonly expiresInMs?: number;
}

export interface ListOptions {
  /** What the keys begin with, such as `reports/`. Default: all. */
  readonly prefix?: string;
  /** The `cursor` of the page before. */
  readonly cursor?: string;
  /** How many files a page has: an integer from 1 to 1,000, which is the default. */
  readonly limit?: number;
}

export interface FileList {
  /** In the order of the keys' bytes in UTF-8. */
  readonly files: readonly ListedFile[];
  /** `undefined` on the last page. */
  readonly cursor?: string;
}

/**
 * The files of the tenant for whom the current code runs. All methods reject with `TenantRequiredError` when there is
 * none, and with `TenancyUnavailableError` when the store is away or full.
 */
@Injectable()
export class TenantFiles {
  constructor(
    private readonly context: TenantContext,
    private readonly links: FileLinks,
    @Inject(FILES_OPTIONS) private readonly options: CheckedFilesOptions,
    @Optional() private readonly meter?: ResourceMeter,
  ) {}

  /**
   * Keeps a file, in the place of one with the same key. Nobody sees it before all of its bytes are there; when anything
   * fails, the earlier one stays. Its bytes are counted as `files.bytes`, where `TenancyUsageModule` is imported.
   *
   * @param key 1 to 1,024 bytes, parts between `/`
   * @throws InvalidFileError for a key, a content type or metadata that cannot be kept
   * @throws FileTooLargeError when it has more than `maxBytes`
   * @throws FileBodyReadError for a stream that was read before
   * @throws QuotaExceededError when a hard quota does not allow its bytes
   * @throws what `body` fails with
   */
  async put(key: string, body: FileBody, options: PutOptions = {}): Promise<FileInfo> {
    const place = this.#placeOf(key);
    const { contentType = 'application/octet-stream', metadata = {}, signal } = options;
    const about = { contentType, metadata: { ...metadata } };
    checkFileAbout(about);
    const bytes = bounded(body, this.options.maxBytes, signal);
    return this.#metered((beforeKept) => this.options.store.put(place, bytes, about, beforeKept));
  }

  /**
   * The file, or a part of it; `undefined` when there is none. Read its stream to the end, or destroy it.
   *
   * @throws FileRangeError when it does not have that part
   */
  async get(key: string, range?: FileRange): Promise<OpenedFile | undefined> {
    return this.options.store.open(this.#placeOf(key), range);
  }

  /** What is known of the file, without its bytes; `undefined` when there is none. */
  async head(key: string): Promise<FileInfo | undefined> {
    return this.options.store.head(this.#placeOf(key));
  }

  /** Removes the file. Resolves also when there is none. */
  async delete(key: string): Promise<void> {
    await this.options.store.remove(this.#placeOf(key));
  }

  /** A page of the tenant's files. What is kept or removed meanwhile may be in it or not. */
  async list({ prefix = '', cursor, limit = MAX_PAGE }: ListOptions = {}): Promise<FileList> {
    const { schemaName } = this.context.tenant();
    checkFilePrefix(prefix);
    if (!isInteger(limit, 1, MAX_PAGE))
      throw new InvalidFileError('limit', limit, `give an integer from 1 to ${MAX_PAGE}`);
    const after = cursor === undefined ? undefined : afterOf(cursor);
    const { files, next } = await this.options.store.list(schemaName, { prefix, after, limit });
    return { files, cursor: next === undefined ? undefined : Buffer.from(next).toString('base64url') };
  }

  /**
   * Keeps a copy under another key, with the same content type and metadata. Counted and refused as `put()` is.
   *
   * @throws FileNotFoundError when there is none to be copied
   */
  async copy(from: string, to: string): Promise<FileInfo> {
    const [source, target] = [this.#placeOf(from), this.#placeOf(to)];
    const info = await this.#metered((beforeKept) => this.options.store.copy(source, target, beforeKept));
    if (!info) throw new FileNotFoundError(from);
    return info;
  }

  /**
   * A URL by which anybody may read the file for a while. It is not looked whether there is such a file.
   *
   * @throws CarryKeysMissingError without `carryKeys`, when the application serves it
   * @throws RangeError for a time that is not from a second to a week
   */
  async signedUrl(key: string, options: SignedUrlOptions = {}): Promise<string> {
    checkFileKey(key);
    return this.links.sign(this.context.tenant(), key, options);
  }

  /**
   * A URL to which a client sends the file itself, without passing through the application: `PUT`, with the headers. It is
   * counted now, whether it comes or not; the store takes no other one than what is said here.
   *
   * @throws InvalidFileError, FileTooLargeError, QuotaExceededError, RangeError
   * @throws TypeError when the store cannot do that, as a directory
   */
  async signedUpload(key: string, options: UploadOptions): Promise<SignedUpload> {
    const place = this.#placeOf(key);
    const { size, sha256, contentType = 'application/octet-stream', metadata = {} } = options;
    const about = { contentType, metadata: { ...metadata } };
    checkFileAbout(about);
    if (!isInteger(size, 0)) throw new InvalidFileError('size', size, 'give a number of bytes');
    if (size > this.options.maxBytes) throw new FileTooLargeError(this.options.maxBytes);
    if (!/^[0-9a-f]{64}$/.test(sha256))
      throw new InvalidFileError('sha256', sha256, 'give 64 hexadecimal digits');
    const upload = { about, size, sha256, expiresInMs: checkExpiry(options.expiresInMs) };
    const { store } = this.options;
    if (!store.signedUpload)
      throw new TypeError('This store takes files from the application only: call TenantFiles.put().');
    return this.#metered(async (beforeKept) => {
      await beforeKept(size);
      return store.signedUpload!(place, upload);
    });
  }

  /** Counts what is about to be kept, and takes it back when it is not. */
  async #metered<T>(keep: (beforeKept: (size: number) => Promise<void>) => Promise<T>): Promise<T> {
    const tenant = this.context.tenant();
    let use: MeteredUse | undefined;
    try {
      return await keep(async (size) => {
        use = await this.meter?.reserve(METRIC, size, tenant);
      });
    } catch (error) {
      use?.release();
      throw error;
    }
  }

  #placeOf(key: string): FilePlace {
    const { schemaName } = this.context.tenant();
    checkFileKey(key);
    return { owner: schemaName, key };
  }
}

function afterOf(cursor: string): string {
  const key = Buffer.from(String(cursor), 'base64url').toString();
  try {
    checkFileKey(key);
    return key;
  } catch {
    throw new InvalidFileError('cursor', cursor, 'give the cursor of the page before');
  }
}
