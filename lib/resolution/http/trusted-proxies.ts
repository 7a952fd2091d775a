import { compile } from 'proxy-addr';

/** Whether a proxy is believed: its address, and how many proxies stand between it and this server. */
export type ProxyTrust = (address: string, hop: number) => boolean;

/**
 * Trust in these proxies and no others: addresses, CIDR ranges, or the names `loopback`, `linklocal` and `uniquelocal`.
 * A peer without an address, on a Unix socket, is none of them.
 *
 * @throws TypeError for what is none of these
 */
export function trustIn(proxies: readonly string[]): ProxyTrust {
  return compile([...proxies]);
}
