import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** What Express and Fastify requests have in common. */
export interface ApiRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly url?: string;
  readonly originalUrl?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  /** Node's own request in a Fastify request. An Express request is Node's own itself. */
  readonly raw?: IncomingMessage;
}

/** The value of a header; `undefined` when it is absent. `name` in lower case. */
export function headerOf({ headers }: ApiRequest, name: string): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return Array.isArray(value) ? value.join(', ') : value;
}

/** How often a header was sent. In `headers`, Node joins or drops repeated ones. `name` in lower case. */
export function countHeader(request: ApiRequest, name: string): number {
  const { rawHeaders } = request.raw ?? (request as unknown as IncomingMessage);
  return rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === name).length;
}
