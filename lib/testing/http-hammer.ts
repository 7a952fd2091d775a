import { Agent, request as httpRequest } from 'node:http';
import type { HammerCall, HammerTenant } from './hammer/hammer-call';
import type { HammerOperation } from './isolation-hammer.options';

const DEFAULT_HANG_UP_RATE = 0.02;

/** Counted from the moment the request was sent; most answers take longer on a busy server. */
const MAX_HANG_UP_DELAY_MS = 5;

export interface HttpHammerOptions<T extends HammerTenant = string> {
  /**
   * The URLs of the application's instances, which must share their tenants: `http://127.0.0.1:3000`. Each request
   * picks one at random.
   */
  readonly urls: readonly string[];
  /** The headers by which a request names its tenant: `{ 'x-tenant-id': tenant }`, a token, or `{ host: … }`. */
  readonly headersOf: (tenant: T) => Readonly<Record<string, string>>;
  /** The share of clients that hang up before the answer, 0 to 1; none during `prepare`. Default 0.02. */
  readonly hangUpRate?: number;
}

export interface HttpHammerRequest {
  /** Default `GET`. */
  readonly method?: string;
  /** The path with its query: `/orders?limit=10`. */
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

/** Makes operations of the isolation hammer from HTTP requests to a running application. */
export class HttpHammer<T extends HammerTenant = string> {
  readonly #agent = new Agent({ keepAlive: true });

  constructor(private readonly options: HttpHammerOptions<T>) {}

  /** A request that reads. The operation fails unless the answer is 2xx. */
  read(requestOf: RequestOf<T>): HammerOperation<T> {
    return async (call) => (await this.#succeed(call, requestOf(call))).text;
  }

  /** A request that stores `call.stamp`. If the answer is 2xx, the stamp must be there at the end. */
  write(requestOf: RequestOf<T>): HammerOperation<T> {
    return async (call) => {
      const { text } = await this.#succeed(call, requestOf(call));
      call.keep();
      return text;
    };
  }

  /**
   * A request whose handler fails after it has stored `call.stamp`: the answer must not be 2xx, and the stamp must not
   * be there at the end.
   */
  rolledBack(requestOf: RequestOf<T>): HammerOperation<T> {
    return async (call) => {
      const request = requestOf(call);
      call.drop();
      const { status, text } = await this.send(call, request);
      if (isSuccess(status)) call.wrong(`${nameOf(request)} was meant to fail, but was answered ${status}`);
      return text;
    };
  }

  /** The answer to a request of `tenant`. Rejects when the connection breaks, or when the client hangs up. */
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
      // After the answer, the connection may already serve another request.
      sent.on('close', () => clearTimeout(hangUp));
    });
  }

  /** Closes the connections that are kept for further requests. */
  close(): void {
    this.#agent.destroy();
  }

  async #succeed(call: HammerCall<T>, request: HttpHammerRequest): Promise<HttpHammerAnswer> {
    const answer = await this.send(call, request);
    // The body of an error is examined, too.
    call.see(answer.text, nameOf(request));
    if (isSuccess(answer.status)) return answer;
    throw new Error(`${nameOf(request)} was answered ${answer.status}: ${answer.text.slice(0, 500)}`);
  }
}

const isSuccess = (status: number): boolean => status >= 200 && status < 300;

function nameOf({ method = 'GET', path }: HttpHammerRequest): string {
  return `${method} ${path}`;
}
