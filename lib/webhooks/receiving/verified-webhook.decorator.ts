import {
  type CanActivate,
  type ExecutionContext,
  Injectable,
  mixin,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingHttpHeaders } from 'node:http';
import { RawBodyMissingError } from '../webhooks.errors';
import { verifyWebhook } from './verify-webhook';

/** What Express and Fastify have of a request, as far as secrets may depend on it. */
export interface WebhookReceived {
  readonly headers: IncomingHttpHeaders;
  readonly url?: string;
  readonly params?: unknown;
}

type Secrets = string | readonly string[];

/** The secrets themselves, or a function that finds them when a webhook comes. */
export type WebhookSecretsOf = Secrets | ((request: WebhookReceived) => Secrets | Promise<Secrets>);

/**
 * The route answers only webhooks that are signed with one of these secrets, by the Standard Webhooks specification; others
 * are answered 400 `WEBHOOK_INVALID`. It needs no module. Give a function where secrets come from the environment, which is
 * read only after decorators have run: `@VerifiedWebhook(() => process.env.WEBHOOK_SECRET!)`.
 *
 * Express and Fastify then keep the body of each request as it came, as they do with Nest's option `rawBody`. In an
 * application that `createNestApplication()` of `@nestjs/testing` makes, give that option.
 */
export function VerifiedWebhook(secrets: WebhookSecretsOf): ClassDecorator & MethodDecorator {
  return UseGuards(guardWith(secrets));
}

function guardWith(secrets: WebhookSecretsOf): Type<CanActivate> {
  @Injectable()
  class VerifiedWebhookGuard implements CanActivate {
    constructor(adapterHost: HttpAdapterHost) {
      keepRawBodies(adapterHost);
    }

    /**
     * @throws WebhookInvalidError
     * @throws RawBodyMissingError
     */
    async canActivate(context: ExecutionContext): Promise<boolean> {
      const request = context.switchToHttp().getRequest<WebhookReceived & Bodies>();
      const known = typeof secrets === 'function' ? await secrets(request) : secrets;
      verifyWebhook(request.headers, rawBodyOf(request), known);
      return true;
    }
  }
  return mixin(VerifiedWebhookGuard);
}

interface Bodies {
  readonly rawBody?: unknown;
  readonly body?: unknown;
}

/** A parser of the application's own may leave the body as it came. */
function rawBodyOf({ rawBody, body }: Bodies): string | Uint8Array {
  const raw = rawBody ?? body;
  if (typeof raw === 'string' || raw instanceof Uint8Array) return raw;
  throw new RawBodyMissingError();
}

/** What an adapter does in `init()`, which is called after the guards are made. */
interface ParsingAdapter {
  registerParserMiddleware(prefix?: string, rawBody?: boolean): unknown;
}

function keepRawBodies({ httpAdapter }: { readonly httpAdapter?: ParsingAdapter }): void {
  if (!httpAdapter) return;
  const register = httpAdapter.registerParserMiddleware.bind(httpAdapter);
  httpAdapter.registerParserMiddleware = (prefix) => register(prefix, true);
}
