import { type ArgumentsHost, Catch, Injectable, Logger } from '@nestjs/common';
import { ApplicationConfig, BaseExceptionFilter } from '@nestjs/core';
import { QueryFailedError } from 'typeorm';
import { isOutage } from '../common/outage';
import { TenancyError, TenancyUnavailableError } from '../common/tenancy.errors';

/**
 * Answers as Nest itself would, with two differences: our own errors of a programmer's making are logged, since Nest
 * logs no `HttpException`; and what TypeORM wraps in `QueryFailedError` is answered as what it is, ours or an outage.
 */
@Catch(TenancyError, QueryFailedError)
@Injectable()
export class TenancyExceptionFilter extends BaseExceptionFilter {
  readonly #logger = new Logger('Tenancy');

  constructor(config: ApplicationConfig) {
    super();
    // First in the list is last in turn: every filter of the application is asked before this one.
    config.getGlobalFilters().unshift(this);
  }

  override catch(exception: TenancyError | QueryFailedError, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw exception;
    const error = unwrapped(exception);
    if (error instanceof TenancyError && error.statusCode >= 500)
      this.#logger.error(error.message, error.stack);
    super.catch(error, host);
  }
}

function unwrapped(exception: TenancyError | QueryFailedError): TenancyError | QueryFailedError {
  if (exception instanceof TenancyError) return exception;
  const cause: unknown = exception.driverError;
  if (cause instanceof TenancyError) return cause;
  return isOutage(exception) ? new TenancyUnavailableError('The database', { cause: exception }) : exception;
}
