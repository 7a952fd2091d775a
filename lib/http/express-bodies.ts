import type { AbstractHttpAdapter } from '@nestjs/core';
import { MERGE_PATCH } from './accepts.decorator';
import type { ApiRequest } from './api-request';
import { explainBodyError, isFor } from './body-errors';

/** An error of body-parser, which Nest and most Express applications use. */
interface ParserError {
  readonly type?: unknown;
  readonly statusCode?: unknown;
}

/** Call it before routes are registered. */
export function readExpressBodies(adapter: AbstractHttpAdapter, paths: RegExp): void {
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
