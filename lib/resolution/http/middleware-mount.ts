import { Injectable, type MiddlewareConsumer } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import type { PlatformRequest } from './tenant-request';
import { TenantMiddleware } from './tenant.middleware';

type Handler = (request: PlatformRequest, response: ServerResponse, next: (error?: unknown) => void) => void;

/** As much of a Fastify instance as is needed. What `app.register()` opens is one, too. */
interface FastifyContext {
  use?(handler: Handler): unknown;
  addHook(name: 'onRegister', hook: (context: FastifyContext) => void): unknown;
}

/**
 * Puts the middleware in front of every path, by the platform's own `use()`: what Nest wraps around a middleware, and
 * the match of a path that is always met, cost more than the middleware. A global prefix changes nothing: which routes
 * are excluded from it only Nest knows, and outside it the middleware refuses nothing either.
 */
@Injectable()
export class MiddlewareMount {
  /** Fastify's contexts that were opened before the middleware was there: they do not get it from their parent. */
  readonly #contexts: FastifyContext[] = [];

  constructor(
    private readonly middleware: TenantMiddleware,
    private readonly host: HttpAdapterHost,
  ) {
    // A testing module is given its platform only after its providers were made.
    host.init$.subscribe(() =>
      this.#fastify()?.addHook('onRegister', (context) => void this.#contexts.push(context)),
    );
  }

  mount(consumer: MiddlewareConsumer): void {
    if (!this.#use()) consumer.apply(TenantMiddleware).forRoutes('{*splat}');
  }

  /** `false` on a platform that we do not know. */
  #use(): boolean {
    const handler: Handler = (request, response, next) => {
      // Express and Fastify do not look at a promise.
      const waiting = this.middleware.use(request, response, next);
      if (waiting) waiting.catch(next);
    };
    if (this.host.httpAdapter.getType() === 'express') {
      this.host.httpAdapter.use(handler);
      return true;
    }
    const fastify = this.#fastify();
    if (!fastify?.use) return false;
    fastify.use(handler);
    // Those that have no list of middleware of their own share their parent's.
    for (const context of this.#contexts) if (Object.hasOwn(context, 'use')) context.use?.(handler);
    return true;
  }

  #fastify(): FastifyContext | undefined {
    const adapter = this.host.httpAdapter;
    return adapter?.getType() === 'fastify' ? adapter.getInstance<FastifyContext>() : undefined;
  }
}
