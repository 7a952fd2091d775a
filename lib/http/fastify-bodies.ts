import { type ArgumentsHost, Catch, HttpException, Inject, Injectable } from '@nestjs/common';
import { type AbstractHttpAdapter, ApplicationConfig, BaseExceptionFilter } from '@nestjs/core';
import { MERGE_PATCH } from './accepts.decorator';
import type { ApiRequest } from './api-request';
import { API_PATHS, explainBodyError, isFor } from './body-errors';

/** The part of Fastify used here. */
interface FastifyInstance {
  hasContentTypeParser(type: string): boolean;
  addContentTypeParser(type: string, options: object, parser: unknown): void;
  getDefaultJsonParser(onProto: string, onConstructor: string): unknown;
  readonly initialConfig: { readonly onProtoPoisoning?: string; readonly onConstructorPoisoning?: string };
}

/** Before routes are registered. A parser that the application has for merge patches is left alone. */
export function readFastifyBodies(adapter: AbstractHttpAdapter): void {
  const instance: FastifyInstance = adapter.getInstance();
  if (instance.hasContentTypeParser(MERGE_PATCH)) return;
  const { onProtoPoisoning = 'error', onConstructorPoisoning = 'error' } = instance.initialConfig;
  const parser = instance.getDefaultJsonParser(onProtoPoisoning, onConstructorPoisoning);
  instance.addContentTypeParser(MERGE_PATCH, { parseAs: 'string' }, parser);
}

/** What Fastify says of a body that it refuses; Nest passes on the text, and only from version 12 on the error itself. */
const REFUSALS = /^(?:Body (?:cannot be empty|is not valid JSON)|Request body |Unsupported Media Type)/;

/** Such an error, as Nest passes it on. */
abstract class FastifyBodyError {
  static [Symbol.hasInstance](error: unknown): boolean {
    if (!(error instanceof HttpException) || error.constructor !== HttpException) return false;
    const response = error.getResponse();
    return typeof response === 'string' && REFUSALS.test(response);
  }
}

/** Answers what Fastify refuses of a module's calls in our words, and of others in Nest's own. */
@Catch(FastifyBodyError)
@Injectable()
export class FastifyBodyFilter extends BaseExceptionFilter {
  constructor(
    config: ApplicationConfig,
    @Inject(API_PATHS) private readonly paths: RegExp,
  ) {
    super();
    // First in the list is last in turn: every filter of the application is asked before this one.
    config.getGlobalFilters().unshift(this);
  }

  override catch(error: HttpException, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw error;
    const isOurs = isFor(this.paths, host.switchToHttp().getRequest<ApiRequest>());
    super.catch(isOurs ? explainBodyError(error.getStatus()) : error, host);
  }
}
