import { type ArgumentsHost, Catch, HttpException, HttpStatus, Inject, Injectable } from '@nestjs/common';
import {
  type AbstractHttpAdapter,
  ApplicationConfig,
  BaseExceptionFilter,
  type HttpAdapterHost,
} from '@nestjs/core';
import { type TenancyError, ValidationFailedError } from '../common/tenancy.errors';
import { MERGE_PATCH, PATCH_BODY } from './accepted.guard';
import type { ApiRequest } from './api-request';
import { BodyTooLargeError, UnsupportedMediaTypeError } from './http.errors';

/** Token of a pattern for the paths of a module's calls, with any prefix and version of the application before them. */
export const API_PATHS = Symbol('API_PATHS');

/**
 * Makes the platform read merge patches as JSON, and answers refused bodies with our own errors. Call it in
 * `configure()` of a module: after the platform's body parsers were installed, and before routes are registered.
 */
export function readBodies(adapterHost: HttpAdapterHost, paths: RegExp): void {
  // An application without HTTP, such as a command line, has no adapter.
  const { httpAdapter } = adapterHost as Partial<HttpAdapterHost>;
  if (httpAdapter?.getType() === 'express') readExpressBodies(httpAdapter, paths);
  if (httpAdapter?.getType() === 'fastify') readFastifyBodies(httpAdapter);
}

/** An error of body-parser, which Nest and most Express applications use. */
interface ParserError {
  readonly type?: unknown;
  readonly statusCode?: unknown;
}

/** Call it before routes are registered. */
function readExpressBodies(adapter: AbstractHttpAdapter, paths: RegExp): void {
  // Express's own parser, which does nothing when another one has read the body.
  (
    adapter as unknown as { useBodyParser(type: string, rawBody: boolean, options: object): void }
  ).useBodyParser('json', false, { type: MERGE_PATCH });
  // Express recognizes an error handler by its four parameters.
  adapter.use(
    (error: ParserError, request: ApiRequest, _response: unknown, next: (error: unknown) => void): void =>
      next(isParserError(error) && isFor(paths, request) ? explainBodyError(error.statusCode) : error),
  );
}

function isParserError(error: ParserError | undefined): boolean {
  return /^(?:entity|encoding|charset)\./.test(String(error?.type));
}

/** The part of Fastify that we use. */
interface FastifyInstance {
  hasContentTypeParser(type: string): boolean;
  addContentTypeParser(type: string, options: object, parser: unknown): void;
  getDefaultJsonParser(onProto: string, onConstructor: string): unknown;
  readonly initialConfig: { readonly onProtoPoisoning?: string; readonly onConstructorPoisoning?: string };
}

/** Call it before routes are registered. A parser of the application's own for merge patches is kept. */
function readFastifyBodies(adapter: AbstractHttpAdapter): void {
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

/** Whether a request is for one of these paths. Its body was refused before a route was found. */
function isFor(paths: RegExp, { originalUrl, url }: Pick<ApiRequest, 'originalUrl' | 'url'>): boolean {
  return paths.test(originalUrl ?? url ?? '');
}

/** Our error for a body that a platform's parser refused with this status. */
function explainBodyError(status: unknown): TenancyError {
  if (status === HttpStatus.PAYLOAD_TOO_LARGE) return new BodyTooLargeError();
  if (status === HttpStatus.UNSUPPORTED_MEDIA_TYPE) return new UnsupportedMediaTypeError(PATCH_BODY);
  return new ValidationFailedError([{ field: 'body', message: 'must be well-formed JSON, an object' }]);
}
