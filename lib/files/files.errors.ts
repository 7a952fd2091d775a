import { HttpStatus } from '@nestjs/common';
import { InvalidOptionsError } from '../common/options/invalid-options.errors';
import { type FieldError, TenancyError } from '../common/tenancy.errors';
import { show } from '../common/show-value';

/** What a file cannot be kept under or with. */
export type FileField =
  'key' | 'contentType' | 'metadata' | 'prefix' | 'cursor' | 'limit' | 'size' | 'sha256';

/** A key that no file can have, or a content type or metadata that cannot be kept. Nothing was done. */
export class InvalidFileError extends TenancyError {
  readonly code = 'FILE_INVALID';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor(
    readonly field: FileField,
    given: unknown,
    remedy: string,
  ) {
    super(`The ${field} of a file is ${show(given)}: ${remedy}.`);
  }
}

/** There is no such file. */
export class FileNotFoundError extends TenancyError {
  readonly code = 'FILE_NOT_FOUND';
  override readonly statusCode = HttpStatus.NOT_FOUND;

  constructor(key: string) {
    super(`There is no file ${show(key)}.`);
  }
}

/** A file has more bytes than `maxBytes`. Nothing of it was kept. */
export class FileTooLargeError extends TenancyError {
  readonly code = 'FILE_TOO_LARGE';
  override readonly statusCode = HttpStatus.PAYLOAD_TOO_LARGE;

  constructor(maxBytes: number) {
    super(`A file has at most ${maxBytes} bytes.`);
  }
}

/** The stream that is to be kept was read to its end before, as a request is by a parser of bodies. Nothing was kept. */
export class FileBodyReadError extends TenancyError {
  readonly code = 'FILE_BODY_READ';

  constructor() {
    super(
      'The body of the file was read to its end before, so there is nothing left to keep. If it is a request, a parser has ' +
        'read it, because of its content type: let no parser read the bodies of this route.',
    );
  }
}

/** A part of a file was asked for that it does not have. */
export class FileRangeError extends TenancyError {
  readonly code = 'FILE_RANGE_INVALID';
  override readonly statusCode = HttpStatus.REQUESTED_RANGE_NOT_SATISFIABLE;
  override readonly headers: Readonly<Record<string, string>>;

  constructor(size: number) {
    super(`The file has ${size} bytes, and not the part that was asked for.`);
    this.headers = { 'Content-Range': `bytes */${size}` };
  }
}

/** In the place of a file is something that the store has not written: a link, a file that was cut off or replaced, an object. */
export class FileDamagedError extends TenancyError {
  readonly code = 'FILE_DAMAGED';

  constructor(path: string, what: string) {
    super(
      `${path} ${what}, so it is not given to anybody. Restore it from a backup, or remove it. Only the application may ` +
        'write where its files are kept.',
    );
  }
}

/** The module cannot work with its options. Thrown at the start, and names everything that is wrong. */
export class InvalidFilesOptionsError extends InvalidOptionsError {
  readonly code = 'FILES_OPTIONS_INVALID';

  constructor(problems: readonly FieldError[]) {
    super('TenancyFilesModule', problems);
  }
}
