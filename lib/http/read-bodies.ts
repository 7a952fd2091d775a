import type { HttpAdapterHost } from '@nestjs/core';
import { readExpressBodies } from './express-bodies';
import { readFastifyBodies } from './fastify-bodies';

/**
 * Has merge patches read as JSON, and what is refused of a body told in our words. To be called by `configure()` of a
 * module: after the platform's own body parsers are in place, and before any route is.
 */
export function readBodies(adapterHost: HttpAdapterHost, paths: RegExp): void {
  // There is none in an application without HTTP, such as a command line.
  const { httpAdapter } = adapterHost as Partial<HttpAdapterHost>;
  if (httpAdapter?.getType() === 'express') readExpressBodies(httpAdapter, paths);
  if (httpAdapter?.getType() === 'fastify') readFastifyBodies(httpAdapter);
}
