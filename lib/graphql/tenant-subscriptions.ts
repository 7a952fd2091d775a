import { type IncomingMessage, ServerResponse } from 'node:http';
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
  readonly onConnect: (connection: unknown) => Promise<void>;
  /** `req` is the handshake, as the request is in a context of HTTP. */
  readonly context: (connection: unknown) => { readonly req: IncomingMessage };
}

/** For `subscription` of Mercurius. */
export interface MercuriusSubscriptions {
  readonly context: (socket: unknown, request: unknown) => Promise<Record<string, unknown>>;
  readonly onConnect: (message: { readonly payload?: unknown }) => Promise<boolean>;
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
  /** Those of Mercurius between its two functions: the second is not told of what the first was given. */
  readonly #opening = new WeakMap<object, { connection: KeptConnection; raw: IncomingMessage }>();

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
        this.#addHeaders(request, connectionParams);
        await connection.open();
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
        this.#opening.set(state.frame, { connection: this.#keep(socket as Socket, raw, state), raw });
        return Promise.resolve({ req: request });
      },
      onConnect: async ({ payload }) => {
        const opening = this.#opening.get(this.context.frame() ?? {});
        if (!opening) throw new TenantRequiredError(CONTEXT_MISSING);
        this.#addHeaders(opening.raw, payload);
        await opening.connection.open();
        return true;
      },
    };
  }

  #keep(socket: Socket, request: IncomingMessage, state: RequestState): KeptConnection {
    return new KeptConnection(socket, request, state, this.resolution, this.context);
  }

  #addHeaders(request: IncomingMessage, params: unknown): void {
    if (typeof params !== 'object' || params === null) return;
    for (const [field, value] of Object.entries(params)) {
      const name = field.toLowerCase();
      if (typeof value === 'string' && this.options.headers.includes(name)) addHeader(request, name, value);
    }
  }
}

const MIDDLEWARE_MISSING =
  'The tenant middleware did not run before the handshake of a GraphQL socket. Import TenancyModule.forRoot() in the root module, ' +
  'and exclude no route from its middleware.';
const CONTEXT_MISSING =
  'Mercurius has asked onConnect() of TenantSubscriptions without its context(). Give both: subscription: tenants.mercurius().';
