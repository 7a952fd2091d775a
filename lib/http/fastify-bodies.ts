import { type ArgumentsHost, Catch, HttpException, Inject, Injectable } from '@nestjs/common';
import { type AbstractHttpAdapter, ApplicationConfig, BaseExceptionFilter } from '@nestjs/core';
import { MERGE_PATCH } from './accepts.decorator';
import type { ApiRequest } from './api-request';
import { API_PATHS, explainBodyError, isFor } from './body-errors';

/** The part of Fastify that we use. */
interface FastifyInstance {
  hasContentTypeParser(type: string): boolean;
  addContentTypeParser(type: string, options: object, parser: unknown): void;
  getDefaultJsonParser(onProto: string, onConstructor: string): unknown;
  readonly initialConfig: { readonly onProtoPoisoning?: string; readonly onConstructorPoisoning?: string };
}

/** Call it before routes are registered. A parser of the application's own for merge patches is kept. */
export function readFastifyBodies(adapter: AbstractHttpAdapter): void {
  const instance: FastifyInstance = adapter.getInstance();
  if (instance.hasContentTypeParser(MERGE_PATCH)) return;
  const { onProtoPoisoning = 'error', onConstructorPoisoning = 'error' } = instance.initialConfig;
  const parser = instance.getDefaultJsonParser(onProtoPoisoning, onConstructorPoisoning);
  instance.addContentTypeParser(MERGE_PATCH, { parseAs: 'string' }, parser);
}

/**
 * Fastify's messages for bodies that it refuses. Nest passes on the message; only from version 12 on it passes on the
 * error itself.
 */
const REFUSALS = /^(?:Body (?:cannot be empty|is not valid JSON)|Request body |Unsupported Media Type)/;

/** Such an error, in the form in which Nest passes it on. */
abstract class FastifyBodyError {
  static [Symbol.hasInstance](error: unknown): boolean {
    if (!(error instanceof HttpException) || error.constructor !== HttpException) return false;
    const response = error.getResponse();
    return typeof response === 'string' && REFUSALS.test(response);
  }
}

/** For a module's calls, answers with our own errors what Fastify refuses; for other routes, with Nest's. */
@Catch(FastifyBodyError)
@Injectable()
export class FastifyBodyFilter extends BaseExceptionFilter {
  constructor(
    config: ApplicationConfig,
    @Inject(API_PATHS) private readonly paths: RegExp,
  ) {
    super();
    // Nest asks the first filter of the list last, so every filter of the application comes before this one.
    config.getGlobalFilters().unshift(this);
  }

  override catch(error: HttpException, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw error;
    const isOurs = isFor(this.paths, host.switchToHttp().getRequest<ApiRequest>());
    super.catch(isOurs ? explainBodyError(error.getStatus()) : error, host);
  }
}
