import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, type RequestOptions } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { type ConnectionOptions, createSecureContext, rootCertificates } from 'node:tls';
import { Inject, Injectable } from '@nestjs/common';
import { type CheckedWebhooksOptions, WEBHOOKS_OPTIONS } from '../webhooks.options';
import { CallableAddresses } from './callable-addresses';
import { HostAddresses } from './host-addresses';
import { WebhookFailure } from './webhook-failure';
import { bareHost, portOf, urlProblem } from './webhook-url';

/** How much of an answer's body is taken before the connection is cut. */
const MAX_ANSWER_BYTES = 4_096;

export interface ClientAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/**
 * Sends requests to URLs that tenants name. It reaches only addresses that it has checked: it looks up the name once, refuses
 * it if any address may not be called, and connects to these and no others. It follows no redirect and keeps nothing
 * of an answer but its status.
 *
 * Node's own client does it: it takes a function for the look-up of each request, and keeps name and certificate apart from
 * the address. The current undici would bring the same for Node 22 and later only.
 */
@Injectable()
export class WebhookClient {
  readonly addresses: CallableAddresses;
  readonly #hosts: HostAddresses;
  readonly #secureContext: ConnectionOptions['secureContext'];

  constructor(@Inject(WEBHOOKS_OPTIONS) private readonly options: CheckedWebhooksOptions) {
    const { allowedAddresses, refusedAddresses, dnsServers, certificateAuthorities } = options;
    this.addresses = new CallableAddresses({ allowed: allowedAddresses, refused: refusedAddresses });
    this.#hosts = new HostAddresses(dnsServers);
    // Given ones take the place of the usual ones, so those are added again. Reading all of them takes some 20 ms: once, and
    // not for each request.
    if (certificateAuthorities.length > 0)
      this.#secureContext = createSecureContext({ ca: [...rootCertificates, ...certificateAuthorities] });
  }

  /** What is wrong with the URL of an endpoint, as far as that can be told without looking up its host. */
  urlProblem(url: string): string | undefined {
    const { ports, allowHttp } = this.options;
    return urlProblem(url, { addresses: this.addresses, ports, allowHttp });
  }

  /**
   * Posts `body`, and returns the status of the answer, whatever it is.
   *
   * @throws WebhookFailure when the URL or an address of its host may not be called, when all of it takes longer than
   *   `timeoutMs`, and when no answer came
   */
  async post(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<ClientAnswer> {
    const problem = this.urlProblem(url);
    if (problem !== undefined) throw new WebhookFailure('refused', `The URL ${problem}.`);
    const target = new URL(url);
    const signal = AbortSignal.timeout(this.options.timeoutMs);
    try {
      const addresses = await this.#hosts.of(bareHost(target), signal);
      if (!addresses.every((each) => this.addresses.has(each)))
        throw new WebhookFailure('refused', 'The host has an address that is not public.');
      return await this.#exchange(target, addresses, Buffer.from(body), headers, signal);
    } catch (error) {
      const { timeoutMs } = this.options;
      throw signal.aborted
        ? new WebhookFailure('timeout', `There was no whole answer within ${timeoutMs} ms.`)
        : WebhookFailure.of(error);
    }
  }

  #exchange(
    target: URL,
    addresses: readonly string[],
    body: Buffer,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ClientAnswer> {
    const host = bareHost(target);
    const options: RequestOptions & ConnectionOptions = {
      method: 'POST',
      host,
      port: portOf(target),
      path: `${target.pathname}${target.search}`,
      headers: { ...headers, 'content-length': String(body.length), host: target.host },
      // No connection is kept: one that a receiver has closed meanwhile would cost an attempt.
      agent: false,
      lookup: lookupIn(addresses),
      // RFC 6066, 3: an address is no server name.
      servername: isIP(host) === 0 ? host : '',
      secureContext: this.#secureContext,
      signal,
    };
    return new Promise((resolve, reject) => {
      // For an answer 101 Node closes the connection, and tells of no answer and no error.
      const closed = () => reject(new Error('The connection was closed without an answer.'));
      const send = target.protocol === 'https:' ? requestHttps : requestHttp;
      const request: ClientRequest = send(options, (answer) => {
        const { statusCode = 0, headers: told } = answer;
        request.off('close', closed);
        takeSome(answer, (error) => {
          request.destroy();
          if (error) reject(error);
          else resolve({ status: statusCode, retryAfter: told['retry-after'] });
        });
      });
      request.on('error', reject);
      request.on('close', closed);
      request.end(body);
    });
  }
}

/** Gives Node the addresses that were checked, in whichever form it asks for them. */
function lookupIn(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, { all: isForAll }, callback) => {
    if (isForAll) callback(null, all);
    else callback(null, all[0].address, all[0].family);
  };
}

/** Reads an answer up to its end or its bound, whichever comes first, and keeps nothing of it. */
function takeSome(answer: IncomingMessage, done: (error?: Error) => void): void {
  let bytes = 0;
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes >= MAX_ANSWER_BYTES) done();
  });
  answer.on('end', () => done());
  answer.on('error', done);
  answer.on('close', () => done(new Error('The answer was cut off.')));
}
