import type { TenantRequest } from './tenant-resolver';

/**
 * Reads the token from a request; `undefined` for another scheme or no header. A header that is
 * repeated or holds more than a token is returned as it is: no valid token looks like that.
 */
export function tokenReader(header: string, scheme: string): (request: TenantRequest) => string | undefined {
  // A scheme is a token by RFC 9110, so only a few of its characters mean something to a regular expression.
  const literally = scheme.replace(/[$*+.^|]/g, '\\$&');
  const start = scheme === '' ? /^/ : new RegExp(`(?:^|,)\\s*${literally}(?:\\s+|$)`, 'i');
  return (request) => {
    const value = request.header(header);
    if (value === undefined) return undefined;
    const found = start.exec(value);
    if (!found) return undefined;
    return found.index === 0 ? value.slice(found[0].length) : value;
  };
}
