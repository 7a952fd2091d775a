import { HttpStatus } from '@nestjs/common';
import { OperatorError, TenancyError } from '../common/tenancy.errors';

/** A file that was to be imported is none of ours, is damaged, was cut off, or is sealed with another key. Nothing was kept. */
export class ExportFileError extends TenancyError {
  readonly code = 'EXPORT_FILE_INVALID';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor(why: string, options?: { cause?: unknown }) {
    super(`The export cannot be imported: ${why}`, options);
  }
}

/** What was imported is not what was exported. Nothing was kept. */
export class ImportNotFaithfulError extends OperatorError {
  readonly code = 'IMPORT_NOT_FAITHFUL';

  constructor(
    slug: string,
    readonly differences: readonly string[],
  ) {
    super(
      `The tenant "${slug}" was not imported, because it came out otherwise than it was exported:\n` +
        differences.map((difference) => `- ${difference}`).join('\n'),
    );
  }
}
