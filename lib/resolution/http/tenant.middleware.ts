import { ServerResponse } from 'node:http';
import { Injectable, type MiddlewareConsumer, type NestMiddleware } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { TenantContext } from '../../context/tenant-context';
import type { Tenant } from '../../registry/tenant';
import { getRequestState, RequestState, setRequestState } from '../../context/handler-call';
import type { PlatformRequest } from './tenant-request';
import { TenantResolution } from '../tenant-resolution';

/**
 * Runs all that follows in a request for the request's tenant. It refuses nothing: routes differ in what they need,
 * and only the guard knows the route.
 */
@Injectable()
export class TenantMiddleware implements NestMiddleware<PlatformRequest, ServerResponse> {
  readonly #vary: VaryHeader;
  #isVaryInherited = false;

  constructor(
    private readonly resolution: TenantResolution,
    private readonly context: TenantContext,
  ) {
    this.#vary = new VaryHeader(joined(resolution.vary));
  }

  /** Prepares all answers that inherit from `prototype`, so that none of them has to be changed for itself. */
  prepareAnswers(prototype: ServerResponse): void {
    this.#vary.addTo(prototype);
    this.#isVaryInherited = true;
  }

  use(request: PlatformRequest, response: ServerResponse, next: () => void): void | Promise<void> {
    let tenant: Tenant | Promise<Tenant | undefined>;
    try {
      tenant = this.resolution.resolve(this.resolution.requestOf(request));
    } catch (error) {
      return this.#run(request, response, next, undefined, { error });
    }
    if (!(tenant instanceof Promise)) return this.#run(request, response, next, tenant);
    return tenant.then(
      (found) => this.#run(request, response, next, found),
      (error: unknown) => this.#run(request, response, next, undefined, { error }),
    );
  }

  #run(
    request: PlatformRequest,
    response: ServerResponse,
    next: () => void,
    tenant: Tenant | undefined,
    failure?: RequestState['failure'],
  ): void {
    const frame = { tenant };
    const state = new RequestState(frame, response, this.context, failure);
    setRequestState(request, state);
    if (!this.#isVaryInherited) this.#vary.addTo(response);
    this.context.runInFrame(frame, next);
  }
}

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
      const { response } = this.host.httpAdapter.getInstance<{ readonly response?: ServerResponse }>();
      if (response) this.middleware.prepareAnswers(response);
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

type WriteHead = (...args: unknown[]) => ServerResponse;

const NODES_WRITE_HEAD = ServerResponse.prototype.writeHead as WriteHead;

/** A header may have several values. */
type Pair = readonly [name: string, value: unknown];

/** As much of a request's state as `Vary` depends on. */
type Answer = Pick<RequestState, 'isFree'>;

/** The `Vary` of answers that are made for one tenant. */
export class VaryHeader {
  /** What was in the last answer's `Vary`, and what came of it: a server's answers rarely differ in it. */
  #before: string | undefined;
  #after = '';
  /** In the place of Node's own `writeHead()`: one for all answers, since to make one for each costs more. */
  readonly #writeHead: WriteHead;

  /**
   * @param names as the header lists them; `''` adds nothing
   * @param answerOf `undefined` for an answer to what the middleware has not seen
   */
  constructor(
    private readonly names: string,
    private readonly answerOf: (response: ServerResponse) => Answer | undefined = stateOf,
  ) {
    this.#writeHead = this.#around(NODES_WRITE_HEAD);
  }

  /**
   * Adds the names when the headers are written, to whatever else is in the answer's `Vary` by then, unless the answer is
   * nobody's. Express and middleware set it on the response, Fastify gives it to `writeHead()`.
   *
   * @param response an answer, or what all answers of an application of Express inherit from: there a property of an
   * answer's own would make that slower, as it does a request (see `holderOf`)
   */
  addTo(response: ServerResponse): void {
    if (this.names === '') return;
    const writeHead = response.writeHead as WriteHead;
    response.writeHead = writeHead === NODES_WRITE_HEAD ? this.#writeHead : this.#around(writeHead);
  }

  #around(writeHead: WriteHead): WriteHead {
    const add = (response: ServerResponse, args: unknown[]): void => {
      const answer = this.answerOf(response);
      if (answer && answer.isFree !== true) this.#add(response, args, writeHead === NODES_WRITE_HEAD);
    };
    return function (this: ServerResponse, ...args: unknown[]) {
      add(this, args);
      return writeHead.apply(this, args);
    };
  }

  /** To the last of the arguments of `writeHead()`, if that is headers; else to the response. */
  #add(response: ServerResponse, args: unknown[], isNodes: boolean): void {
    const headers = args.at(-1);
    const kept = response.getHeader('vary');
    if (typeof headers !== 'object' || headers === null) {
      response.setHeader('Vary', this.#with(kept));
    } else if (Array.isArray(headers)) {
      args[args.length - 1] = this.#inList(kept, pairsOf(headers));
    } else {
      // Not set on the response: Node writes what it is given far sooner when nothing is set beside it.
      const list = this.#listOf(kept, headers as Record<string, unknown>);
      // Node takes the list as it is. Others, such as those who log headers, may know objects only.
      args[args.length - 1] = isNodes ? list : Object.fromEntries(pairsOf(list));
    }
  }

  /** Names and values in turn: V8 makes an object of names that differ from answer to answer several times slower. */
  #listOf(kept: unknown, headers: Record<string, unknown>): unknown[] {
    const given: unknown[] = [];
    const list: unknown[] = [];
    for (const name of Object.keys(headers)) {
      if (isVary(name)) given.push(headers[name]);
      else list.push(name, headers[name]);
    }
    list.push('Vary', this.#with(kept, given));
    return list;
  }

  #inList(kept: unknown, pairs: readonly Pair[]): unknown[] {
    const given = pairs.filter(([name]) => isVary(name)).map(([, value]) => value);
    const others = pairs.filter(([name]) => !isVary(name));
    return [...others.flatMap(([name, value]) => [name, value]), 'Vary', this.#with(kept, given)];
  }

  #with(kept: unknown, given: readonly unknown[] = []): string {
    if (kept === undefined && given.length === 0) return this.names;
    const before = [kept ?? [], given].flat(3).map(String).join(',');
    if (before !== this.#before) {
      this.#after = joined([...before.split(','), ...this.names.split(',')]);
      this.#before = before;
    }
    return this.#after;
  }
}

function stateOf({ req }: ServerResponse): Answer | undefined {
  return getRequestState(req);
}

/** Node takes a list of names and values in turn, and a list of pairs. */
function pairsOf(headers: readonly unknown[]): readonly Pair[] {
  if (Array.isArray(headers[0])) return headers as readonly Pair[];
  return (headers as readonly string[]).flatMap((name, index) =>
    index % 2 === 0 ? [[name, headers[index + 1]] as Pair] : [],
  );
}

function isVary(name: string): boolean {
  return name.length === 4 && name.toLowerCase() === 'vary';
}

/** Each name once, in whatever case; a star says all of them. */
function joined(names: readonly string[]): string {
  const byName = new Map(names.map((name) => [name.trim().toLowerCase(), name.trim()]));
  byName.delete('');
  return byName.has('*') ? '*' : [...byName.values()].join(', ');
}
