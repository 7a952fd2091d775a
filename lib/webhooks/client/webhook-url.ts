import { isIP } from 'node:net';
import type { CallableAddresses } from './callable-addresses';

/** Longer ones are refused by many servers. */
const MAX_URL_LENGTH = 2_048;

export interface UrlRules {
  readonly addresses: CallableAddresses;
  readonly ports: readonly number[];
  readonly allowHttp: boolean;
}

/**
 * What is wrong with the URL of an endpoint; `undefined` for one that may be called if the addresses of its host may. The
 * URL is as `new URL()` reads it: by then `0x7f.1`, `2130706433` and `①27.0.0.1` are 127.0.0.1.
 */
export function urlProblem(text: string, { addresses, ports, allowHttp }: UrlRules): string | undefined {
  if (text.length > MAX_URL_LENGTH) return `must have at most ${MAX_URL_LENGTH} characters`;
  if (!URL.canParse(text)) return 'must be a URL such as https://example.com/hooks';
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:'))
    return `must begin with https://${allowHttp ? ' or http://' : ''}`;
  if (url.username !== '' || url.password !== '') return 'must have no user and no password in it';
  if (url.hash !== '') return 'must have no fragment (#…), which is never sent';
  if (!ports.includes(portOf(url))) return `must have one of these ports: ${ports.join(', ')}`;
  const host = bareHost(url);
  const address = isLocalhost(host) ? LOCALHOST : host;
  if (isIP(address) !== 0 && !addresses.has(address)) return 'must not be at this address: it is not public';
  return undefined;
}

export const LOCALHOST = '127.0.0.1';

/** RFC 6761, 6.3: these names are this machine, whatever a server says. */
export function isLocalhost(host: string): boolean {
  return /^(?:.*\.)?localhost$/i.test(host);
}

export function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

/** Without the brackets of IPv6 and the dot at the end that makes a name absolute: no certificate has one. */
export function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}
