import { Agent, request as httpRequest } from 'node:http';
import type { HammerCall, HammerTenant } from './hammer/hammer-call';
import type { HammerOperation } from './isolation-hammer.options';

const DEFAULT_HANG_UP_RATE = 0.02;

/** After it was sent; most answers take longer on a busy server. */
const MAX_HANG_UP_DELAY_MS = 5;

export interface HttpHammerOptions<T extends HammerTenant = string> {
  /** Of the application's instances, which must share their tenants: `http://127.0.0.1:3000`. One is drawn for each request. */
  readonly urls: readonly string[];
  /** How a request names its tenant: `{ 'x-tenant-id': tenant }`, a token, or `{ host: … }`. */
  readonly headersOf: (tenant: T) => Readonly<Record<string, string>>;
  /** How many of the clients hang up before they are answered, 0 to 1; none while `prepare` works. Default 0.02. */
  readonly hangUpRate?: number;
}

export interface HttpHammerRequest {
  /** Default `GET`. */
  readonly method?: string;
  /** With its query: `/orders?limit=10`. */
  readonly path: string;
  /** Sent as JSON. Default none. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpHammerAnswer {
  readonly status: number;
  readonly text: string;
}

type RequestOf<T extends HammerTenant> = (call: HammerCall<T>) => HttpHammerRequest;

/** Makes operations of the isolation hammer out of requests to an application that listens. */
export class HttpHammer<T extends HammerTenant = string> {
  readonly #agent = new Agent({ keepAlive: true });

  constructor(private readonly options: HttpHammerOptions<T>) {}

  /** A request that reads. It fails unless it is answered 2xx. */
  read(requestOf: RequestOf<T>): HammerOperation<T> {
    return async (call) => (await this.#succeed(call, requestOf(call))).text;
  }

  /** A request that stores `call.mark`: when it is answered 2xx, the mark must be there at the end. */
  write(requestOf: RequestOf<T>): HammerOperation<T> {
    return async (call) => {
      const { text } = await this.#succeed(call, requestOf(call));
      call.keep();
      return text;
    };
  }

  /** A request whose handler fails after it has stored `call.mark`: it must not be answered 2xx, nor the mark be there. */
  rolledBack(requestOf: RequestOf<T>): HammerOperation<T> {
    return async (call) => {
      const request = requestOf(call);
      call.drop();
      const { status, text } = await this.send(call, request);
      if (isSuccess(status)) call.wrong(`${nameOf(request)} was to fail, and was answered ${status}`);
      return text;
    };
  }

  /** What a request of `tenant` is answered. Rejects when the line breaks, or when the client hangs up. */
  send(call: HammerCall<T>, request: HttpHammerRequest, tenant: T = call.tenant): Promise<HttpHammerAnswer> {
    const { urls, headersOf, hangUpRate = DEFAULT_HANG_UP_RATE } = this.options;
    const { method = 'GET', path, body, headers } = request;
    const json = body === undefined ? undefined : JSON.stringify(body);
    const hangsUp = !call.preparing && call.random.next() < hangUpRate;
    return new Promise((resolve, reject) => {
      const sent = httpRequest(new URL(path, call.random.pick(urls)), {
        method,
        agent: this.#agent,
        headers: {
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
          ...headersOf(tenant),
          ...headers,
        },
      });
      sent.on('error', reject).on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
      });
      sent.end(json);
      if (!hangsUp) return;
      const hangUp = setTimeout(
        () => sent.destroy(new Error('hung up on purpose')),
        call.random.integer(MAX_HANG_UP_DELAY_MS),
      );
      // Once it is answered, its connection may serve another request.
      sent.on('close', () => clearTimeout(hangUp));
    });
  }

  /** Closes the connections that are kept for the next request. */
  close(): void {
    this.#agent.destroy();
  }

  async #succeed(call: HammerCall<T>, request: HttpHammerRequest): Promise<HttpHammerAnswer> {
    const answer = await this.send(call, request);
    // An error's body is looked at, too.
    call.see(answer.text, nameOf(request));
    if (isSuccess(answer.status)) return answer;
    throw new Error(`${nameOf(request)} was answered ${answer.status}: ${answer.text.slice(0, 500)}`);
  }
}

const isSuccess = (status: number): boolean => status >= 200 && status < 300;

function nameOf({ method = 'GET', path }: HttpHammerRequest): string {
  return `${method} ${path}`;
}
