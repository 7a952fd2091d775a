import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  Logger,
  type NestInterceptor,
} from '@nestjs/common';
import { catchError, EMPTY, from, mergeMap, Observable } from 'rxjs';
import { routeMetadata, arrivalOf } from '../context/handler-call';
import { TenancyError } from '../common/tenancy.errors';
import { ownEmissions } from '../context/own-emissions';
import { type RequestFrame, TenantContext } from '../context/tenant-context';
import { setMessageContext } from '../resolution/messages/message-context';
import { TenantMissingError } from '../resolution/resolution.errors';
import { TENANT_NEED, type TenantNeed } from '../resolution/http/tenant-route.decorator';
import { unwrapError, isCallersFault } from '../resolution/http/client-answer';
import type { Tenant } from '../registry/tenant';
import { MessageTenants } from './message-tenants';
import { TenantHandshakes } from './tenant-handshakes';
import { toRpcException, toWsException } from './transport-exceptions';

/** Nest's metadata key for the kind of a handler. Handlers of events send no answer. */
const HANDLER_TYPE = 'microservices:handler_type';
const EVENT = 2;

/**
 * Runs the handler of each message of a gateway or a microservice for the message's tenant: pipes, later interceptors,
 * the handler, and everything in the Observable that it returns. Guards run earlier, without a tenant. Over HTTP the
 * middleware has done this, so it does nothing.
 */
@Injectable()
export class TenantInterceptor implements NestInterceptor {
  readonly #logger = new Logger('Tenancy');

  constructor(
    private readonly context: TenantContext,
    private readonly handshakes: TenantHandshakes,
    private readonly messages: MessageTenants,
  ) {}

  intercept(message: ExecutionContext, next: CallHandler): Observable<unknown> {
    switch (arrivalOf(message)) {
      case 'ws':
        return this.#fromSocket(message, next);
      case 'rpc':
        return this.#fromService(message, next);
      case 'http':
        return next.handle();
    }
  }

  #fromSocket(message: ExecutionContext, next: CallHandler): Observable<unknown> {
    const client = message.switchToWs().getClient<object>();
    const settled = this.#settle(message, () => this.handshakes.tenantOf(client)).catch((error: unknown) =>
      this.handshakes.refuse(client, error),
    );
    return from(settled).pipe(
      // Checked last, because another message of this client may have been refused in the meantime.
      mergeMap((frame) =>
        frame && !this.handshakes.isRefused(client) ? this.#handle(message, next, frame) : EMPTY,
      ),
      catchError((error) => this.#rethrow(message, error, toWsException)),
    );
  }

  #fromService(message: ExecutionContext, next: CallHandler): Observable<unknown> {
    return from(this.#settle(message, () => this.messages.resolve(message))).pipe(
      mergeMap((frame) => this.#handle(message, next, frame)),
      catchError((error) => this.#rethrow(message, error, toRpcException)),
    );
  }

  /**
   * The frame in which the handler runs.
   *
   * @throws TenantMissingError when the handler needs a tenant and the message names none
   * @throws the errors of `resolve`
   */
  async #settle(
    message: ExecutionContext,
    resolve: () => Promise<Tenant | undefined>,
  ): Promise<RequestFrame> {
    const need = routeMetadata<TenantNeed>(TENANT_NEED, message);
    if (need === 'free') return {};
    const tenant = await resolve();
    if (!tenant && need !== 'optional') throw new TenantMissingError();
    return { tenant };
  }

  #handle(message: ExecutionContext, next: CallHandler, frame: RequestFrame): Observable<unknown> {
    setMessageContext(message, this.context);
    return new Observable((subscriber) =>
      this.context.runInFrame(frame, () => ownEmissions(next.handle(), this.context).subscribe(subscriber)),
    );
  }

  #rethrow(message: ExecutionContext, thrown: unknown, toException: (error: TenancyError) => Error): never {
    const error = unwrapError(thrown);
    if (!(error instanceof TenancyError)) throw thrown;
    const isEvent = routeMetadata(HANDLER_TYPE, message) === EVENT;
    if (error.isPassing) this.#logger.warn(error.message);
    else if ((isEvent || !isCallersFault(error)) && !error.isTold) this.#logger.error(error);
    throw toException(error);
  }
}
