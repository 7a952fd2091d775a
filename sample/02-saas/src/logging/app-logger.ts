import type { LoggerService } from '@nestjs/common';
import type { TenantContext } from 'nestjs-tenancy';
import { SECRET_HEADERS, tenantLogMixin } from 'nestjs-tenancy/observability';
import { type DestinationStream, type Level, type Logger, pino } from 'pino';

/** Credentials in what is logged of requests, and values in what is logged of a statement that failed. */
const SECRETS = [
  ...SECRET_HEADERS.flatMap((name) => [`req.headers["${name}"]`, `res.headers["${name}"]`]),
  ...['err.parameters', 'err.detail', 'err.driverError'],
];

/** Nest's logger, on pino. Made before the application, so that the start is logged, too. */
export class AppLogger implements LoggerService {
  readonly pino: Logger;
  #tenantFields = (): object => ({});

  constructor(destination?: DestinationStream) {
    this.pino = pino(
      { level: process.env.LOG_LEVEL ?? 'info', redact: SECRETS, mixin: () => this.#tenantFields() },
      destination,
    );
  }

  /** From now on each line says for which tenant its code ran. */
  nameTenants(context: TenantContext): void {
    this.#tenantFields = tenantLogMixin(context);
  }

  log(message: unknown, ...params: unknown[]): void {
    this.#write('info', message, params);
  }

  warn(message: unknown, ...params: unknown[]): void {
    this.#write('warn', message, params);
  }

  error(message: unknown, ...params: unknown[]): void {
    this.#write('error', message, params);
  }

  debug(message: unknown, ...params: unknown[]): void {
    this.#write('debug', message, params);
  }

  verbose(message: unknown, ...params: unknown[]): void {
    this.#write('trace', message, params);
  }

  fatal(message: unknown, ...params: unknown[]): void {
    this.#write('fatal', message, params);
  }

  /** Nest gives the name of the class last, and before it the stack of an error. */
  #write(level: Level, message: unknown, params: unknown[]): void {
    const context = params.at(-1);
    const stack = params.length > 1 ? params[0] : undefined;
    if (message instanceof Error) this.pino[level]({ context, err: message }, message.message);
    else if (typeof message === 'string') this.pino[level]({ context, stack }, message);
    else this.pino[level]({ context, message });
  }
}
