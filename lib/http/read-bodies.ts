import type { HttpAdapterHost } from '@nestjs/core';
import { readExpressBodies } from './express-bodies';
import { readFastifyBodies } from './fastify-bodies';

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
