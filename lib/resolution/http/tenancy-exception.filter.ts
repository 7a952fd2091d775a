import { type ArgumentsHost, Catch, Injectable, InternalServerErrorException, Logger } from '@nestjs/common';
import { ApplicationConfig, BaseExceptionFilter } from '@nestjs/core';
import { type Observable, throwError } from 'rxjs';
import { QueryFailedError } from 'typeorm';
import { getRequestState, graphqlRequestOf, type HttpRequest } from '../../context/handler-call';
import { TenancyError } from '../../common/tenancy.errors';
import { clientAnswer, unwrapError } from './client-answer';

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

  override catch(exception: TenancyError | QueryFailedError, host: ArgumentsHost): Observable<never> | void {
    const type = host.getType<string>();
    if (type !== 'http' && type !== 'rpc' && type !== 'graphql') throw exception;
    const error = unwrapError(exception);
    if (error instanceof TenancyError && error.statusCode >= 500 && !error.isTold)
      this.#logger.error(error.message, error.stack);
    if (type === 'rpc') return this.#answerMessage(error);
    if (type === 'graphql') return this.#answerOperation(error, host);
    if (error instanceof TenancyError) this.#setHeaders(error, host);
    return super.catch(error, host);
  }

  /** The GraphQL server answers what is thrown, by its message: that of an error of PostgreSQL's holds SQL and values. */
  #answerOperation(error: unknown, host: ArgumentsHost): never {
    if (!(error instanceof TenancyError)) {
      this.#logger.error(error);
      throw new InternalServerErrorException('Internal server error', { cause: error });
    }
    const request = graphqlRequestOf(host) as HttpRequest | undefined;
    const response = request && getRequestState(request)?.response;
    if (response && !response.headersSent)
      for (const [name, value] of Object.entries(error.headers ?? {})) response.setHeader(name, value);
    throw error.publicMessage === error.message ? error : withoutMessage(error);
  }

  #setHeaders({ headers = {} }: TenancyError, host: ArgumentsHost): void {
    const response: unknown = host.switchToHttp().getResponse();
    for (const [name, value] of Object.entries(headers))
      this.httpAdapterHost?.httpAdapter.setHeader(response, name, value);
  }

  /** A microservice sends what it is given as it is: thrown on, an error would show its SQL and values. */
  #answerMessage(error: unknown): Observable<never> {
    if (error instanceof TenancyError) return throwError(() => ({ status: 'error', ...clientAnswer(error) }));
    this.#logger.error(error);
    return throwError(() => ({ status: 'error', message: 'Internal server error' }));
  }
}

/** A GraphQL server sends the message of what it is thrown, and its `extensions`; those of an `HttpException` Nest writes anew. */
function withoutMessage(error: TenancyError): Error {
  const { publicMessage, extensions } = error;
  return Object.assign(new Error(publicMessage, { cause: error }), { extensions });
}
