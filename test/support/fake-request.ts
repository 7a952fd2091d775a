import type { PlatformRequest } from '../../lib/resolution/http/tenant-request';

/** A request as Node hands it over, with nothing behind it. Headers are name and value in turn, as they were sent. */
export function fakeRequest(
  url: string,
  headers: readonly string[] = [],
  more: Partial<PlatformRequest> & { remoteAddress?: string } = {},
): PlatformRequest {
  const { remoteAddress, ...others } = more;
  const names = headers.filter((_text, index) => index % 2 === 0);
  const read: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const key = name.toLowerCase();
    const value = headers[2 * index + 1];
    // As Node does: some names keep their first value, the others are joined.
    if (!Object.hasOwn(read, key)) read[key] = value;
    else if (key === 'cookie') read[key] += `; ${value}`;
    else if (key !== 'host' && key !== 'authorization') read[key] += `, ${value}`;
  }
  return { url, headers: read, rawHeaders: headers, socket: { remoteAddress }, ...others } as PlatformRequest;
}
