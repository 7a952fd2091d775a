import { HttpException, HttpStatus } from '@nestjs/common';
import { TenancyError } from '../../common/tenancy.errors';
import { QueryFailedError } from 'typeorm';
import { orUnavailable } from '../../common/outage';

/** What a client on another transport than HTTP is told of an error: the HTTP body without its status. */
export interface ClientAnswer {
  readonly code: string;
  readonly message: string;
  readonly [detail: string]: unknown;
}

/** Of errors that were not made for clients nothing is told. */
export function clientAnswer(error: unknown): ClientAnswer {
  if (error instanceof TenancyError) {
    const { statusCode, ...answer } = error.getResponse();
    return answer as ClientAnswer;
  }
  if (error instanceof HttpException && isCallersFault(error)) {
    return { code: HttpStatus[error.getStatus()] ?? 'REFUSED', message: error.message };
  }
  return { code: 'INTERNAL_SERVER_ERROR', message: 'Internal server error' };
}

/** Whether the client could have done better. Everything else is for the log. */
export function isCallersFault(error: unknown): boolean {
  return error instanceof HttpException && error.getStatus() < 500;
}

/** What TypeORM wraps in `QueryFailedError` as what it is, ours or an outage; everything else as it came. */
export function unwrapError(error: unknown): unknown {
  if (!(error instanceof QueryFailedError)) return error;
  const cause: unknown = error.driverError;
  if (cause instanceof TenancyError) return cause;
  return orUnavailable('The database', error);
}
