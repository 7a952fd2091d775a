import { inspect } from 'node:util';
import { HttpException, HttpStatus } from '@nestjs/common';
import { withHint } from './database-hint';
import { ownFrames } from './own-frames';

/** Fields of Nest's exceptions. They repeat the message, so they are hidden when an error is printed. */
const KEPT_BY_NEST = ['response', 'status', 'options', 'errorCode'];

/** One refused field of a body, query or option. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/**
 * The base of everything this package throws on purpose. `code` is stable: match on it, not on the message.
 *
 * It extends `HttpException`, so Nest answers `{ statusCode, code, message }` by itself and filters written for
 * `HttpException` see it. A caller's mistake overrides `statusCode`; a programmer's keeps 500.
 */
export abstract class TenancyError extends HttpException {
  abstract readonly code: string;
  readonly statusCode: number = HttpStatus.INTERNAL_SERVER_ERROR;
  /** HTTP headers that the answer carries besides. */
  readonly headers?: Readonly<Record<string, string>>;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, HttpStatus.INTERNAL_SERVER_ERROR, options);
    hide(this, KEPT_BY_NEST);
    // The stack begins with the message, but Nest sets the message only after the stack was taken.
    Error.captureStackTrace(this, new.target);
  }

  override getStatus(): number {
    return this.statusCode;
  }

  /** Whether the log has it already, in one line for all whom it befalls. */
  get isTold(): boolean {
    return false;
  }

  /** Whether it is nothing to mend, and the next try will do: the log has one line of it, as a warning. */
  get isPassing(): boolean {
    return false;
  }

  /** What a client is told. A mistake in the application is only logged, and the client learns nothing of it. */
  get publicMessage(): string {
    return this.statusCode === Number(HttpStatus.INTERNAL_SERVER_ERROR)
      ? 'Internal server error'
      : this.message;
  }

  override getResponse(): Record<string, unknown> {
    return { statusCode: this.statusCode, code: this.code, message: this.publicMessage };
  }

  /** What GraphQL servers put beside the message: `code`, and the rest of the HTTP body. */
  get extensions(): Record<string, unknown> {
    const { message: _, ...extensions } = this.getResponse();
    return extensions;
  }

  /** What `console.error()` and Nest's logger print: the message, and the lines of the stack in the application. */
  [inspect.custom](): string {
    const { cause, message } = this;
    const why = cause instanceof Error ? withHint(cause) : '';
    return printed(this) + (message.includes(why) ? '' : `\n    because of ${(cause as Error).name}: ${why}`);
  }
}

/** An error of an operation of the admin API. The operator who calls it is told the whole message. */
export abstract class OperatorError extends TenancyError {
  override get publicMessage(): string {
    return this.message;
  }
}

export function printed({ name, code, message, stack }: TenancyError): string {
  return [`${name} [${code}]: ${message}`, ...ownFrames(stack)].join('\n');
}

export function hide(error: Error, names: readonly string[]): void {
  for (const name of names)
    if (Object.hasOwn(error, name)) Object.defineProperty(error, name, { enumerable: false });
}

/** A handler was called over a transport that we do not know, so its tenant cannot be told. */
export class TransportUnknownError extends TenancyError {
  readonly code = 'TRANSPORT_UNKNOWN';

  constructor(handler: string, what: string, remedy: string) {
    super(
      `${handler} was called by ${what}. Known are HTTP, queries and mutations of GraphQL over it, WebSockets and microservices; ` +
        `all else is refused. ${remedy}`,
    );
  }
}

/** Seconds. A place is free as soon as a statement or a transaction of the tenant ends. */
export const TRY_AGAIN_SOON = { 'Retry-After': '1' } as const;

/** The database of the registry or of the tenants cannot be reached, or has no free connection. */
export class TenancyUnavailableError extends TenancyError {
  readonly code = 'TENANCY_UNAVAILABLE';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;

  constructor(what: string, options?: { cause?: unknown }) {
    super(`${what} is not available right now. Try again shortly.`, options);
  }
}

/** A body, query or path was refused; `errors` names each field. */
export class ValidationFailedError extends TenancyError {
  readonly code = 'VALIDATION_FAILED';
  override readonly statusCode = HttpStatus.BAD_REQUEST;

  constructor(readonly errors: readonly FieldError[]) {
    super(`Validation failed: ${errors.map(({ field, message }) => `${field}: ${message}`).join('; ')}`);
  }

  override getResponse(): Record<string, unknown> {
    return { ...super.getResponse(), errors: this.errors };
  }
}

/** PostgreSQL answered COMMIT with ROLLBACK, so the transaction was not committed. */
export class TransactionRolledBackError extends TenancyError {
  readonly code = 'TRANSACTION_ROLLED_BACK';

  constructor() {
    super(
      'PostgreSQL answered COMMIT with ROLLBACK, so nothing of the transaction was kept: a statement in it had failed before, and its ' +
        'error was caught or not awaited. Let that error reach the end of the transaction, or put the part that may fail into a ' +
        'savepoint: manager.transaction(...) inside of it.',
    );
  }
}

/**
 * Too many requests of the tenant wait for a connection or to be counted, or this one waited too long. Nothing was
 * sent.
 */
export class TenantBusyError extends TenancyError {
  readonly code = 'TENANT_BUSY';
  override readonly statusCode = HttpStatus.SERVICE_UNAVAILABLE;
  override readonly headers = TRY_AGAIN_SOON;

  constructor() {
    super('This tenant has as many requests under way as it may have. Try again shortly.');
  }
}
