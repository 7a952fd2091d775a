import type { Readable } from 'node:stream';

/** What is kept with a file's bytes. */
export interface FileAbout {
  /** As in `image/png`. */
  readonly contentType: string;
  /** Texts by names of `a-z 0-9 -`. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface FileInfo extends FileAbout {
  readonly key: string;
  /** In bytes. */
  readonly size: number;
  /** Of the bytes, in hexadecimal digits. */
  readonly sha256: string;
  readonly modifiedAt: Date;
}

/** What a list says of a file. */
export type ListedFile = Pick<FileInfo, 'key' | 'size' | 'modifiedAt'>;

/** From the byte `start` to the byte `end`, both included and the first of them 0; or the last so many bytes. */
export type FileRange = { readonly start: number; readonly end?: number } | { readonly last: number };

export interface OpenedFile {
  readonly info: FileInfo;
  /** The bytes, or the part that was asked for. Read it to its end, or destroy it. */
  readonly stream: Readable;
  /** Which part it is, both bytes included. `undefined`: the whole file. */
  readonly range?: { readonly start: number; readonly end: number };
}

/** Whose file, and which. */
export interface FilePlace {
  /** The schema name of the tenant, with any character but a dot; or `.making`, for the library's own notes. */
  readonly owner: string;
  /** 1 to 1,024 bytes, without a segment that is empty, `.` or `..`. */
  readonly key: string;
}

/** Awaited with the size once all bytes are there, and before anybody can see them. When it throws, none is kept. */
export type BeforeKept = (size: number) => Promise<void>;

export interface FilePage {
  /** What the keys begin with; `''` for all. */
  readonly prefix: string;
  /** Only keys that come after this one. */
  readonly after?: string;
  readonly limit: number;
}

export interface FileLink {
  readonly expiresInMs: number;
  /** The header `Content-Disposition` of the answer. */
  readonly disposition: string;
}

/** A file that somebody else is to send. */
export interface FileUpload {
  readonly about: FileAbout;
  /** In bytes. */
  readonly size: number;
  /** Of the bytes, in hexadecimal digits. */
  readonly sha256: string;
  readonly expiresInMs: number;
}

/** How a file is sent: `PUT` to the URL, with all of these headers. */
export interface SignedUpload {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Where files are kept. A file appears with all of its bytes and all that is kept with it, or not at all; `put` replaces an
 * earlier one as a whole. What cannot be reached throws `TenancyUnavailableError`.
 */
export abstract class FileStore {
  abstract put(
    place: FilePlace,
    body: AsyncIterable<Uint8Array>,
    about: FileAbout,
    beforeKept: BeforeKept,
  ): Promise<FileInfo>;

  /** `undefined` when there is no such file. @throws FileRangeError */
  abstract open(place: FilePlace, range?: FileRange): Promise<OpenedFile | undefined>;

  abstract head(place: FilePlace): Promise<FileInfo | undefined>;

  /** Resolves also when there is no such file. */
  abstract remove(place: FilePlace): Promise<void>;

  /** In the order of the keys' bytes in UTF-8. `next`: the key after which there are more. */
  abstract list(owner: string, page: FilePage): Promise<{ files: ListedFile[]; next?: string }>;

  /** `undefined` when there is no such file. */
  abstract copy(from: FilePlace, to: FilePlace, beforeKept: BeforeKept): Promise<FileInfo | undefined>;

  /** Removes all files of a tenant. */
  abstract removeAll(owner: string): Promise<void>;

  /** An address to which a file may be sent without passing through the application: that one, and no other. */
  signedUpload?(place: FilePlace, upload: FileUpload): Promise<SignedUpload>;

  /** An address that the store itself answers. Without it the route of `TenancyFilesModule` serves the file. */
  signedUrl?(place: FilePlace, link: FileLink): Promise<string>;
}

/** Which bytes of a file a range asks for. @throws Error of `refuse` when it has none of them */
export function bytesOf(range: FileRange, size: number, refuse: () => Error): { start: number; end: number } {
  const start = 'last' in range ? Math.max(0, size - range.last) : range.start;
  const end = 'last' in range ? size - 1 : Math.min(range.end ?? size - 1, size - 1);
  const given = 'last' in range ? [range.last] : [range.start, range.end ?? range.start];
  if (!given.every((each) => Number.isSafeInteger(each) && each >= 0) || start > end) throw refuse();
  return { start, end };
}
