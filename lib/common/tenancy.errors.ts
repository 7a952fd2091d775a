import { inspect } from 'node:util';
import { HttpException, HttpStatus } from '@nestjs/common';
import { withHint } from './database-hint';
import { ownFrames } from './own-frames';
import { inRemedy } from './sql';

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

export interface StartErrorOptions {
  readonly cause?: unknown;
  /** Adds fields for code to read. They are not enumerable, because they would be printed beside the message. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * An error that makes a start fail. The message says everything. Node prints an uncaught error with its stack,
 * its fields and its cause, so the stack has only lines of the application, and fields and cause can be read but
 * are not enumerable.
 */
export abstract class StartError extends OperatorError {
  constructor(message: string, { cause, details = {} }: StartErrorOptions = {}) {
    super(message);
    this.stack = [`${this.name}: ${message}`, ...framesOf(cause)].join('\n');
    hide(this, ['statusCode', 'name', 'message']);
    // Nest declares it, and Node shows it where it is: the value of a getter it does not.
    delete this.cause;
    if (cause !== undefined) Object.defineProperty(this, 'cause', { get: () => cause });
    for (const [name, value] of Object.entries(details)) Object.defineProperty(this, name, { value });
  }

  override [inspect.custom](): string {
    return printed(this);
  }
}

/** Where in the application it happened: the stack of the innermost error. */
function framesOf(cause: unknown): string[] {
  if (!(cause instanceof Error)) return [];
  const inner = framesOf(cause.cause);
  return inner.length > 0 ? inner : ownFrames(cause.stack);
}

/**
 * A start failed for a reason that has no error class of its own: PostgreSQL refused a statement, or TypeORM an entity.
 */
export class StartFailedError extends StartError {
  readonly code = 'START_FAILED';

  /** `user` and `database`: who asked PostgreSQL, and where. */
  constructor(what: string, cause: unknown, { user = '<role>', database = '<database>' } = {}) {
    const inner = (cause as { driverError?: unknown } | undefined)?.driverError ?? cause;
    const { code } = (inner ?? {}) as { code?: unknown };
    const state = typeof code === 'string' ? ` (${code})` : '';
    const grant = `GRANT CREATE ON DATABASE ${inRemedy(database)} TO ${inRemedy(user)}`;
    const remedy =
      code === '42501'
        ? ` The role that logs in lacks a right: give it that (to make a schema: ${grant}), or make what is missing as its owner.`
        : '';
    super(`${what} cannot start: ${withHint(cause).replace(/\.$/, '')}${state}.${remedy}`, { cause });
  }
}

/** Runs `work`. An error that is not ours is wrapped into a sentence about `what`. */
export async function startWith<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof TenancyError ? error : new StartFailedError(what, error);
  }
}

function printed({ name, code, message, stack }: TenancyError): string {
  return [`${name} [${code}]: ${message}`, ...ownFrames(stack)].join('\n');
}

function hide(error: Error, names: readonly string[]): void {
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
