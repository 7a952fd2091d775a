import type { Logger } from '@nestjs/common';
import { messageWithCause } from '../../common/error-message';
import type { TenancyError } from '../../common/tenancy.errors';

/** Says in the log what is not the caller's fault, unless it is there already. */
export function logFailure(logger: Logger, error: TenancyError): void {
  if (error.isPassing) logger.warn(error.message);
  else if (error.statusCode >= 500 && !error.isTold) logger.error(messageWithCause(error), error.stack);
}
