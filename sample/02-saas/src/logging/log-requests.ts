import type { IncomingMessage } from 'node:http';
import { loggedRequest } from 'nestjs-tenancy/observability';
import { pinoHttp } from 'pino-http';
import type { AppLogger } from './app-logger';

/** What asks every few seconds, and says nothing new. */
const QUIET = ['/health', '/metrics'];

/** A line for each request that has been answered. */
export function logRequests({ pino }: AppLogger) {
  const ignore = ({ url = '' }: IncomingMessage): boolean => QUIET.includes(url);
  return pinoHttp({ logger: pino, autoLogging: { ignore }, serializers: { req: loggedRequest } });
}
