import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { isLocalhost, LOCALHOST } from './webhook-url';
import { WebhookFailure } from './webhook-failure';

/** Of an answer with more, the rest is not looked at, and not called. */
const MAX_ADDRESSES = 16;

/**
 * The addresses of hosts, as the DNS gives them. Not by `dns.lookup()`: that has four threads for all of this process, and
 * the files share them, so a few names whose servers do not answer would hold up everything.
 */
export class HostAddresses {
  /** @param servers addresses of DNS servers. Default: those of this machine */
  constructor(private readonly servers: readonly string[] = []) {}

  /**
   * All addresses of a host, at most 16; of an address, itself. `signal` ends the question.
   *
   * @throws WebhookFailure when there is none
   */
  async of(host: string, signal: AbortSignal): Promise<string[]> {
    const literal = /^\[(.*)\]$/.exec(host)?.[1] ?? host;
    if (isIP(literal) !== 0) return [literal];
    if (isLocalhost(host)) return [LOCALHOST];
    const resolver = new dns.Resolver();
    if (this.servers.length > 0) resolver.setServers(this.servers);
    const cancel = () => resolver.cancel();
    signal.addEventListener('abort', cancel);
    try {
      // One of both may have no answer. What is called is checked, whatever the other would have said.
      const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
      signal.throwIfAborted();
      const found = answers.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
      if (found.length === 0) throw new WebhookFailure('unknown-host', 'The host has no address.');
      return found.slice(0, MAX_ADDRESSES);
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }
}
