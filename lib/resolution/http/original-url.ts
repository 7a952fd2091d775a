const ORIGINAL_URL = Symbol('nestjs-tenancy original URL');

type RewrittenRequest = object & { [ORIGINAL_URL]?: string };

/**
 * Keeps the URL that a request came with before it is rewritten. The first one kept stays. A place of our own: under
 * Nest on Fastify `originalUrl` says what the URL was rewritten to.
 */
export function keepOriginalUrl(raw: object, url: string): void {
  (raw as RewrittenRequest)[ORIGINAL_URL] ??= url;
}

/** The URL that was kept, if the request was rewritten. */
export function keptOriginalUrl(raw: object): string | undefined {
  return (raw as RewrittenRequest)[ORIGINAL_URL];
}
