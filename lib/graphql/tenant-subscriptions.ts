import { type IncomingMessage, maxHeaderSize, ServerResponse, validateHeaderValue } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { TenantRequiredError } from '../context/context.errors';
import { getRequestState, RequestState, setRequestState } from '../context/handler-call';
import { TenantContext } from '../context/tenant-context';
import { addHeader } from '../resolution/http/tenant-request';
import { TenantResolution } from '../resolution/tenant-resolution';
import { GRAPHQL_OPTIONS, type TenancyGraphqlOptions } from './graphql.options';
import { KeptConnection, type Socket } from './kept-connection';

/** For `subscriptions: { 'graphql-ws': … }` of Apollo's driver. */
export interface GraphqlWsSubscriptions {
  /** `false` refuses the connection. */
  readonly onConnect: (connection: unknown) => Promise<boolean>;
  /** `req` is the handshake, as the request is in a context of HTTP. */
  readonly context: (connection: unknown) => { readonly req: IncomingMessage };
}

/** For `subscription` of Mercurius. */
export interface MercuriusSubscriptions {
  readonly context: (socket: unknown, request: unknown) => Promise<Record<string, unknown>>;
  readonly onConnect: (message: { payload?: unknown }) => Promise<boolean>;
}

/** What `graphql-ws` gives to its functions, as much as is needed. */
interface GraphqlWsConnection {
  readonly connectionParams?: unknown;
  readonly extra: { readonly socket: Socket; readonly request: IncomingMessage };
}

interface FastifyRequest {
  readonly raw: IncomingMessage;
}

/** Lets GraphQL be asked over WebSockets, subscriptions above all, for the tenant that the handshake names. */
@Injectable()
export class TenantSubscriptions {
  /** Those of Mercurius, by frame: the second of its two functions is not told of what the first was given. */
  readonly #opened = new WeakMap<object, MercuriusConnection>();

  constructor(
    @Inject(GRAPHQL_OPTIONS) private readonly options: Required<TenancyGraphqlOptions>,
    private readonly resolution: TenantResolution,
    private readonly context: TenantContext,
  ) {}

  /** The functions to give to Apollo's driver. A `context` of your own in their place gives `req` as well. */
  graphqlWs(): GraphqlWsSubscriptions {
    return {
      onConnect: async (given) => {
        const { connectionParams, extra } = given as GraphqlWsConnection;
        const { socket, request } = extra;
        // Nest has no middleware there, so nobody has made these.
        const state = new RequestState({}, new ServerResponse(request), this.context);
        setRequestState(request, state);
        const connection = this.#keep(socket, request, state);
        if (!this.#addHeaders(request, connectionParams)) return false;
        await connection.open();
        return true;
      },
      context: (given) => ({ req: (given as GraphqlWsConnection).extra.request }),
    };
  }

  /** The functions to give to Mercurius. A `context` of your own gives what this one gives as well. */
  mercurius(): MercuriusSubscriptions {
    return {
      // Its request has passed the middleware, and all that Mercurius does runs in the frame of that.
      context: (socket, request) => {
        const { raw } = request as FastifyRequest;
        const state = getRequestState(raw);
        if (!state?.isCurrent()) return Promise.reject(new TenantRequiredError(MIDDLEWARE_MISSING));
        // Mercurius asks at each `connection_init`, of which the protocol knows only one.
        if (this.#opened.has(state.frame)) {
          (socket as Socket).close(TOO_MANY_INITS, 'Too many initialisation requests');
          return Promise.reject(new Error('A GraphQL socket was initialised twice.'));
        }
        this.#opened.set(state.frame, { connection: this.#keep(socket as Socket, raw, state), raw });
        return Promise.resolve({ req: request });
      },
      onConnect: async (message) => {
        const opened = this.#opened.get(this.context.frame() ?? {});
        if (!opened) throw new TenantRequiredError(CONTEXT_MISSING);
        // It asks again for an operation with an extension of that name: for a gateway, whose clients share a socket.
        if (opened.isReady) return false;
        opened.isReady = true;
        if (!this.#addHeaders(opened.raw, message.payload)) return false;
        message.payload = withoutHeaders(message.payload);
        await opened.connection.open();
        return true;
      },
    };
  }

  #keep(socket: Socket, request: IncomingMessage, state: RequestState): KeptConnection {
    return new KeptConnection(socket, request, state, this.resolution, this.context);
  }

  /** `false` when they cannot be headers: over HTTP Node would refuse them. */
  #addHeaders(request: IncomingMessage, params: unknown): boolean {
    if (typeof params !== 'object' || params === null) return true;
    const headers = Object.entries(params)
      .map(([field, value]): [string, unknown] => [field.toLowerCase(), value])
      .filter((header): header is [string, string] => this.#isHeader(header));
    if (!mayBeHeaders(headers)) return false;
    for (const [name, value] of headers) addHeader(request, name, value);
    return true;
  }

  #isHeader([name, value]: [string, unknown]): boolean {
    return typeof value === 'string' && this.options.headers.includes(name);
  }
}

interface MercuriusConnection {
  readonly connection: KeptConnection;
  readonly raw: IncomingMessage;
  /** Whether its one `connection_init` has come. */
  isReady?: true;
}

/** The protocol graphql-transport-ws: too many initialisation requests. */
const TOO_MANY_INITS = 4429;

/** Longer ones, read at each message, would keep the process busy. Node takes no more of all headers of a request. */
function mayBeHeaders(headers: readonly [name: string, value: string][]): boolean {
  if (headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0) > maxHeaderSize)
    return false;
  try {
    for (const [name, value] of headers) validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

/** Mercurius makes headers of all fields, unless one of them is named so. */
function withoutHeaders(payload: unknown): unknown {
  return typeof payload === 'object' && payload !== null ? { ...payload, headers: {} } : payload;
}

const MIDDLEWARE_MISSING =
  'The tenant middleware did not run before the handshake of a GraphQL socket. Import TenancyModule.forRoot() in the root module, ' +
  'and exclude no route from its middleware.';
const CONTEXT_MISSING =
  'Mercurius has asked onConnect() of TenantSubscriptions without its context(). Give both: subscription: tenants.mercurius().';
