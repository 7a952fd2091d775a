import { type ArgumentsHost, Catch, Injectable, Logger } from '@nestjs/common';
import { ApplicationConfig, BaseExceptionFilter } from '@nestjs/core';
import { type Observable, throwError } from 'rxjs';
import { QueryFailedError } from 'typeorm';
import { graphqlRequestOf } from '../../context/handler-call';
import { TenancyError } from '../../common/tenancy.errors';
import { clientAnswer, unwrapError } from './client-answer';
import { logFailure } from './log-failure';
import { GraphqlErrors } from './graphql-errors';

/**
 * Answers as Nest itself would, with two differences: our own errors of a programmer's making are logged, since Nest
 * logs no `HttpException`; and what TypeORM wraps in `QueryFailedError` is answered as what it is, ours or an outage.
 */
@Catch(TenancyError, QueryFailedError)
@Injectable()
export class TenancyExceptionFilter extends BaseExceptionFilter {
  readonly #logger = new Logger('Tenancy');

  constructor(
    config: ApplicationConfig,
    private readonly graphqlErrors: GraphqlErrors,
  ) {
    super();
    // First in the list is last in turn: every filter of the application is asked before this one.
    config.getGlobalFilters().unshift(this);
  }

  override catch(exception: TenancyError | QueryFailedError, host: ArgumentsHost): Observable<never> | void {
    const type = host.getType<string>();
    if (type === 'graphql') throw this.graphqlErrors.answerTo(exception, graphqlRequestOf(host));
    if (type !== 'http' && type !== 'rpc') throw exception;
    const error = unwrapError(exception);
    if (error instanceof TenancyError) logFailure(this.#logger, error);
    if (type === 'rpc') return this.#answerMessage(error);
    if (error instanceof TenancyError) this.#setHeaders(error, host);
    return super.catch(error, host);
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
