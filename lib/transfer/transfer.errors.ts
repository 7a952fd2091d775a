import { HttpStatus } from '@nestjs/common';
import { OperatorError, TenancyError } from '../common/tenancy.errors';

/**
 * A file to import is not one of our exports, is damaged, was cut off, or is sealed with another key. Nothing was kept.
 */
export class ExportFileError extends TenancyError {
  readonly code = 'EXPORT_FILE_INVALID';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor(why: string, options?: { cause?: unknown }) {
    super(`The export cannot be imported: ${why}`, options);
  }
}

/** The imported schema differs from the exported one. Nothing was kept. */
export class ImportNotFaithfulError extends OperatorError {
  readonly code = 'IMPORT_NOT_FAITHFUL';

  constructor(
    slug: string,
    readonly differences: readonly string[],
  ) {
    super(
      `The tenant "${slug}" was not imported, because its schema would differ from the exported one:\n` +
        differences.map((difference) => `- ${difference}`).join('\n'),
    );
  }
}
