import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { ThrottlerRequest } from '@nestjs/throttler';
import { loadPackage } from '../common/absent-package';
import { arrivalOf, getRequestState, isGraphql, requestOf, RouteMetadata } from '../context/handler-call';
import { TENANT_NEED, type TenantNeed } from '../resolution/http/tenant-route.decorator';
import type { Tenant } from '../registry/tenant';
import { CountedRequests } from './counted-requests';
import type { RateLimits } from './rate-limit';
import { RATE_LIMIT_WEIGHT } from './rate-limit-weight.decorator';
import { RateLimitHeaders } from './rate-limit-headers';
import { RateLimitStorage } from './rate-limit-storage';
import { RateLimitsOfTenants } from './rate-limits-of-tenants';
import { RateLimitedError } from './throttling.errors';

const { ThrottlerGuard } = loadPackage<typeof import('@nestjs/throttler')>(
  '@nestjs/throttler',
  'nestjs-tenancy/throttling',
  () => require('@nestjs/throttler'),
);

/** Nest's guard gets this number for every limit, so that another number can only come from `@Throttle()`. */
const AS_THE_TENANT_HAS_IT = Number.POSITIVE_INFINITY;

/** A request that is counted. */
interface CountedCall {
  readonly tenant: Tenant;
  readonly weight: number;
  readonly headers: RateLimitHeaders;
}

/**
 * Nest's guard with the rate limits of a plan, or of one tenant. It applies `@SkipThrottle()` and `@Throttle()` of the
 * route, and checks the shortest window first, so that a request refused there takes nothing from the longer ones.
 */
class RateLimitsGuard extends ThrottlerGuard {
  readonly #calls = new WeakMap<ExecutionContext, CountedCall>();

  constructor(
    private readonly limits: RateLimits,
    private readonly requests: CountedRequests,
    storage: RateLimitStorage,
    reflector: Reflector,
  ) {
    const throttlers = Object.entries(limits).map(([name, { windowMs }]) => ({
      name,
      limit: AS_THE_TENANT_HAS_IT,
      ttl: windowMs,
    }));
    const getTracker = () => '';
    const generateKey = (_context: ExecutionContext, tracker: string, name: string) =>
      tracker === '' ? name : `${name}:${tracker}`;
    super({ throttlers, getTracker, generateKey }, storage, reflector);
  }

  /**
   * @throws RateLimitedError when a limit is used up
   * @throws TenancyUnavailableError when the request could not be counted and must not pass
   */
  async count(context: ExecutionContext, tenant: Tenant, weight: number): Promise<boolean> {
    const headers = new RateLimitHeaders();
    this.#calls.set(context, { tenant, weight, headers });
    await this.canActivate(context);
    const { res } = this.getRequestResponse(context);
    for (const [name, value] of Object.entries(headers.all())) this.setResponseHeader(res, name, value);
    return true;
  }

  protected override async handleRequest(request: ThrottlerRequest): Promise<boolean> {
    const { context, throttler, limit, ttl, getTracker, generateKey } = request;
    const name = throttler.name!;
    const isOfRoute = limit !== AS_THE_TENANT_HAS_IT || ttl !== throttler.ttl;
    const rate = {
      limit: limit === AS_THE_TENANT_HAS_IT ? this.limits[name].limit : limit,
      windowMs: ttl,
    };
    const { req } = this.getRequestResponse(context);
    const { tenant, weight, headers } = this.#calls.get(context)!;
    const key = [
      tenant.id,
      generateKey(context, await getTracker(req, context), name),
      // One count cannot have two windows, so the limit of a route has a count of its own.
      ...(isOfRoute ? [`${context.getClass().name}.${context.getHandler().name}`] : []),
    ].join(':');
    const state = await this.requests.take(key, weight, rate);
    if (!state) return true;
    headers.add(name, rate, state);
    if (state.isRefused) throw new RateLimitedError(name, seconds(state.resetMs), headers.all());
    return true;
  }

  /** For GraphQL the response is Node's own. */
  protected override getRequestResponse(context: ExecutionContext) {
    if (!isGraphql(context)) return super.getRequestResponse(context);
    const request = requestOf(context);
    return { req: request, res: getRequestState(request)?.response ?? {} };
  }
}

/** Counts each request for its tenant. */
@Injectable()
export class TenantThrottlerGuard implements CanActivate {
  readonly #guards = new WeakMap<RateLimits, Promise<RateLimitsGuard>>();
  readonly #needs = new RouteMetadata<TenantNeed | 'tenant'>(TENANT_NEED, 'tenant');
  readonly #weights = new RouteMetadata<number>(RATE_LIMIT_WEIGHT, 1);

  constructor(
    @Inject(RateLimitStorage) private readonly storage: RateLimitStorage,
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(RateLimitsOfTenants) private readonly limits: RateLimitsOfTenants,
    @Inject(CountedRequests) private readonly requests: CountedRequests,
  ) {}

  /**
   * @throws RateLimitedError when a limit is used up
   * @throws TenancyUnavailableError when the request could not be counted and must not pass
   * @throws TransportUnknownError when the call came by an unknown transport
   */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const tenant = this.#tenantOf(context);
    const weight = this.#weights.of(context);
    if (!tenant || weight === 0) return true;
    const limits = this.limits.of(tenant);
    if (Object.keys(limits).length === 0) return true;
    const guard = await this.#guardOf(limits);
    return guard.count(context, tenant, weight);
  }

  /**
   * The tenant that the middleware found, whether or not `TenantGuard` has already run. In either order of the two
   * guards, a route without a tenant is not counted, and `TenantGuard` refuses a claim of an unknown tenant.
   */
  #tenantOf(context: ExecutionContext): Tenant | undefined {
    if (this.#needs.of(context) === 'free' || arrivalOf(context) !== 'http') return undefined;
    return getRequestState(requestOf(context))?.frame.tenant;
  }

  #guardOf(limits: RateLimits): Promise<RateLimitsGuard> {
    const known = this.#guards.get(limits);
    if (known) return known;
    const guard = new RateLimitsGuard(limits, this.requests, this.storage, this.reflector);
    const ready = guard.onModuleInit().then(() => guard);
    this.#guards.set(limits, ready);
    return ready;
  }
}

function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}
