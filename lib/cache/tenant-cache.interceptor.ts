import { Readable } from 'node:stream';
import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  Optional,
  StreamableFile,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type Observable, of, tap } from 'rxjs';
import { ModuleMissingError } from '../common/start.errors';
import { type HttpRequest, routeMetadata } from '../context/handler-call';
import { TenantContext } from '../context/tenant-context';
import { answerKey, callerOf } from './answer-caller';
import { CACHE_OPTIONS, type CheckedCacheOptions } from './cache.options';
import { SAME_FOR_EVERY_CALLER } from './same-for-every-caller.decorator';
import { TenantCache } from './tenant-cache';

/** As `@CacheKey()` and `@CacheTTL()` of `@nestjs/cache-manager` mark a route. The package need not be there. */
const CACHE_KEY = 'cache_module:cache_key';
const CACHE_TTL = 'cache_module:cache_ttl';

/** As `@Sse()` marks one. */
const SSE = '__sse__';

/** As much of an answer of Express and Fastify as is used. */
interface Answer {
  readonly statusCode: number;
  getHeader(name: string): unknown;
  /** Of Fastify: Node's own. */
  readonly raw?: { getHeader(name: string): unknown };
  readonly headersSent?: boolean;
  readonly sent?: boolean;
}

/** What a decorator was given: a value, or a function of the call. */
type OrFunction<T> = T | ((context: ExecutionContext) => T | Promise<T>);

/**
 * Takes the place of Nest's `CacheInterceptor` on routes of tenants: keeps what handlers of GET answer, for the tenant and
 * for the caller, and gives it again. Guards run before it, at each request.
 */
@Injectable()
export class TenantCacheInterceptor implements NestInterceptor {
  /** Nest finds nothing of this where the module is not imported, and would say so in its own words. */
  constructor(
    @Optional() private readonly cache: TenantCache,
    @Optional() private readonly context: TenantContext,
    @Optional() private readonly host: HttpAdapterHost,
    @Optional() @Inject(CACHE_OPTIONS) private readonly options: CheckedCacheOptions,
  ) {
    if (!cache) throw new ModuleMissingError(['TenantCacheInterceptor', 'TenancyCacheModule']);
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const key = await this.#keyOf(context);
    const place = key === undefined ? undefined : await this.cache.place(key);
    if (!place) return next.handle();
    const kept = await place.get();
    const isKept = kept !== undefined;
    const answer = context.switchToHttp().getResponse<Answer>();
    this.host.httpAdapter.setHeader(answer, 'X-Cache', isKept ? 'HIT' : 'MISS');
    if (isKept) return of(kept);
    const ttlMs = await given(routeMetadata<OrFunction<number>>(CACHE_TTL, context), context);
    // 0 is for ever elsewhere. A time that is none keeps nothing.
    if (ttlMs !== undefined && !(ttlMs >= 1)) return next.handle();
    let last: unknown;
    return next.handle().pipe(
      tap({
        next: (value) => {
          last = value;
        },
        complete: () => {
          if (mayBeKept(context, last)) void place.set(last, ttlMs && Math.floor(ttlMs));
        },
      }),
    );
  }

  /** `undefined` for what is not kept: all that is not a tenant's GET, and what is answered to a caller unknown to us. */
  async #keyOf(context: ExecutionContext): Promise<string | undefined> {
    if (context.getType() !== 'http' || Reflect.hasMetadata(SSE, context.getHandler())) return undefined;
    const { httpAdapter } = this.host;
    const request = context.switchToHttp().getRequest<HttpRequest>();
    if (httpAdapter.getRequestMethod(request) !== 'GET' || !this.context.find()) return undefined;
    const isSame = routeMetadata<true>(SAME_FOR_EVERY_CALLER, context) === true;
    const caller = isSame ? 'all' : (this.options.callerOf ?? callerOf)(request);
    if (caller === undefined) return undefined;
    const decorator = Reflect.getMetadata(CACHE_KEY, context.getHandler()) as OrFunction<string> | undefined;
    const name: unknown = decorator
      ? await given(decorator, context)
      : (httpAdapter.getRequestUrl(request) as string);
    return typeof name === 'string' && name !== ''
      ? answerKey(request, `${isSame ? 'all' : 'one'} ${caller}`, name)
      : undefined;
  }
}

function given<T>(value: OrFunction<T> | undefined, context: ExecutionContext): T | Promise<T> | undefined {
  return typeof value === 'function'
    ? (value as (context: ExecutionContext) => T | Promise<T>)(context)
    : value;
}

/** No stream, no error, nothing with a cookie in it or that says that it must not be kept. */
function mayBeKept(context: ExecutionContext, value: unknown): boolean {
  if (value === undefined || value instanceof StreamableFile || value instanceof Readable) return false;
  const answer = context.switchToHttp().getResponse<Answer>();
  if (answer.headersSent || answer.sent || answer.statusCode !== 200) return false;
  const header = (name: string) => answer.getHeader(name) ?? answer.raw?.getHeader(name);
  if (header('set-cookie') !== undefined) return false;
  const said = header('cache-control');
  const control = typeof said === 'string' ? said.toLowerCase() : '';
  if (control.includes('no-store')) return false;
  return !(control.includes('private') && routeMetadata<true>(SAME_FOR_EVERY_CALLER, context));
}
