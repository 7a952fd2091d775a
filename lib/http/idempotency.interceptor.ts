import {
  type CallHandler,
  type ExecutionContext,
  HttpException,
  HttpStatus,
  Injectable,
  Logger,
  type NestInterceptor,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { lastValueFrom, type Observable, of } from 'rxjs';
import { routeMetadata } from '../context/handler-call';
import { ValidationFailedError } from '../common/tenancy.errors';
import { TenantContendedError } from '../registry/tenant.errors';
import { callerOf } from './caller';
import { type ApiRequest, countHeader, headerOf } from './api-request';
import { IdempotencyInProgressError, IdempotencyKeyReusedError, RepeatedError } from './http.errors';
import { type Attempt, type BeginOutcome, type KeptAnswer, setAttempt } from './idempotency-attempt';
import { fingerprintOf } from './idempotency-fingerprint';
import { openAnswer, sealAnswer } from './sealed-answer';
import { type Redaction, SECRET_ANSWER } from './secret-answer.decorator';
import { IdempotencyKeys } from './idempotency-keys';

/** Printable ASCII. Other characters do not arrive as they were sent. */
const KEY = /^[\x20-\x7e]{1,256}$/;

/** Calls take milliseconds, so one second is long enough. */
const RETRY_AFTER_SECONDS = '1';

/**
 * Makes a POST with an `Idempotency-Key` have its effect once: a repeated request gets the first answer again.
 *
 * Answers of successful work are stored, and so are 409s, which depend on the moment. A request that was refused before
 * it had an effect (400, 404, 412, 415) frees its key. One that failed (5xx) may be tried again with the same body.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  readonly #logger = new Logger(IdempotencyInterceptor.name);

  constructor(
    private readonly keys: IdempotencyKeys,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  /**
   * @throws ValidationFailedError when the key is malformed, sent twice, or the body is nested too deep
   * @throws IdempotencyKeyReusedError when the key was used with another body
   * @throws IdempotencyInProgressError while the first request runs
   * @throws TenancyUnavailableError when the registry cannot be reached
   */
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const key = request.method === 'POST' ? keyOf(request) : undefined;
    if (key === undefined) return next.handle();
    // Whatever the path names: the same key with another of its ids is another call.
    const { tenant = '', ...others } = request.params ?? {};
    const call = [context.getClass().name, context.getHandler().name, tenant, ...Object.values(others)];
    const outcome = await this.keys.begin(
      [callerOf(request).name, ...call, key],
      fingerprintOf(request.body),
    );
    if (outcome.kind === 'reused') throw new IdempotencyKeyReusedError();
    if (outcome.kind === 'running') {
      this.#setHeader(context, 'Retry-After', RETRY_AFTER_SECONDS);
      throw new IdempotencyInProgressError();
    }
    if (outcome.kind === 'answered') return of(this.#repeat(context, outcome));
    setAttempt(request, outcome.attempt);
    return of(await this.#run(context, next, outcome.attempt));
  }

  /**
   * Answers with the stored body and headers. A stored error is thrown, so that filters handle it as they did the first
   * time.
   */
  #repeat(context: ExecutionContext, { id, answer }: Extract<BeginOutcome, { kind: 'answered' }>): unknown {
    const { status, body, etag, sealed } = answer;
    this.#setHeader(context, 'Idempotent-Replayed', 'true');
    if (status >= 400) throw new RepeatedError(status, body as Record<string, unknown>);
    if (etag !== undefined) this.#setHeader(context, 'ETag', etag);
    if (sealed === undefined) return body;
    const { secret } = callerOf(context.switchToHttp().getRequest<ApiRequest>());
    return openAnswer(sealed, secret, id) ?? body;
  }

  async #run(context: ExecutionContext, next: CallHandler, attempt: Attempt): Promise<unknown> {
    let body: unknown;
    try {
      body = await lastValueFrom(next.handle(), { defaultValue: undefined });
    } catch (error) {
      await this.#settle(() => this.#fail(attempt, error));
      throw error;
    }
    const etag = this.#header(context, 'etag');
    // A successful call always has the same status, so it need not be stored.
    await this.#settle(() =>
      this.keys.keep(attempt, { status: HttpStatus.OK, etag, ...this.#kept(context, attempt, body) }),
    );
    return body;
  }

  /** The body in the form in which the database may hold it. */
  #kept(context: ExecutionContext, { id }: Attempt, body: unknown): Pick<KeptAnswer, 'body' | 'sealed'> {
    const redact = routeMetadata<Redaction>(SECRET_ANSWER, context);
    if (!redact) return { body };
    const { secret } = callerOf(context.switchToHttp().getRequest<ApiRequest>());
    return { body: redact(body), sealed: sealAnswer(body, secret, id) };
  }

  #fail(attempt: Attempt, error: unknown): Promise<void> {
    const status = error instanceof HttpException ? error.getStatus() : HttpStatus.INTERNAL_SERVER_ERROR;
    if (status >= 500) return this.keys.giveUp(attempt);
    const isDecided = status === 409 && !(error instanceof TenantContendedError);
    if (!isDecided) return this.keys.release(attempt);
    return this.keys.keep(attempt, { status, body: (error as HttpException).getResponse() });
  }

  /** The work is done, so the answer is sent even if it could not be stored. The attempt then expires by itself. */
  async #settle(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#logger.error('The answer to a request with an Idempotency-Key could not be stored.', error);
    }
  }

  #header(context: ExecutionContext, name: string): string | undefined {
    const response: unknown = context.switchToHttp().getResponse();
    return this.adapterHost.httpAdapter.getHeader?.(response, name) as string | undefined;
  }

  #setHeader(context: ExecutionContext, name: string, value: string): void {
    this.adapterHost.httpAdapter.setHeader(context.switchToHttp().getResponse(), name, value);
  }
}

function keyOf(request: ApiRequest): string | undefined {
  const key = headerOf(request, 'idempotency-key');
  if (key === undefined) return undefined;
  // Node joins repeated headers to one value, which may look like a valid key.
  if (KEY.test(key) && countHeader(request, 'idempotency-key') === 1) return key;
  throw new ValidationFailedError([
    { field: 'Idempotency-Key', message: 'must be sent once, with 1 to 256 printable ASCII characters' },
  ]);
}
