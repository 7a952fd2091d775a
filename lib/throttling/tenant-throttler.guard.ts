import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { ThrottlerRequest } from '@nestjs/throttler';
import { explainAbsent } from '../common/absent-package';
import { arrivalOf, isGraphql } from '../common/arrival';
import { routeMetadata } from '../common/route-metadata';
import { getRequestState, requestOf } from '../resolution/http/request-state';
import { TENANT_NEED } from '../resolution/http/tenant-route.decorator';
import type { Tenant } from '../registry/tenant';
import { CountedRequests } from './counted-requests';
import type { RateLimits } from './rate-limit';
import { RATE_LIMIT_WEIGHT } from './rate-limit-weight.decorator';
import { RateLimitHeaders } from './rate-limit-headers';
import { RateLimitStorage } from './rate-limit-storage';
import { RateLimitsOfTenants } from './rate-limits-of-tenants';
import { RateLimitedError } from './throttling.errors';

function load(): typeof import('@nestjs/throttler') {
  try {
    return require('@nestjs/throttler') as typeof import('@nestjs/throttler');
  } catch (error) {
    throw explainAbsent(error, '@nestjs/throttler', 'nestjs-tenancy/throttling');
  }
}

const { ThrottlerGuard } = load();

/** What Nest's guard is told of a limit: only a route that has `@Throttle()` comes with another number. */
const AS_THE_TENANT_HAS_IT = Number.POSITIVE_INFINITY;

/**
 * Nest's guard over the limits of a plan, or of one tenant. It decides which of them hold for a route, by `@SkipThrottle()`
 * and `@Throttle()`, the shortest window first: what that refuses takes nothing from the longer ones.
 */
class LimitsGuard extends ThrottlerGuard {
  readonly #headers = new WeakMap<ExecutionContext, RateLimitHeaders>();

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

  /** @throws RateLimitedError, TenancyUnavailableError */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const headers = new RateLimitHeaders();
    this.#headers.set(context, headers);
    await super.canActivate(context);
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
    const key = [
      tenantOf(context)!.id,
      generateKey(context, await getTracker(req, context), name),
      // One window cannot be two: the limit of a route has a count of its own.
      ...(isOfRoute ? [`${context.getClass().name}.${context.getHandler().name}`] : []),
    ].join(':');
    const state = await this.requests.take(key, weightOf(context), rate);
    if (!state) return true;
    const headers = this.#headers.get(context)!;
    headers.add(name, rate, state);
    if (state.isRefused) throw new RateLimitedError(name, seconds(state.resetMs), headers.all());
    return true;
  }

  /** Of GraphQL, too: the response is Node's own there. */
  protected override getRequestResponse(context: ExecutionContext) {
    if (!isGraphql(context)) return super.getRequestResponse(context);
    const request = requestOf(context);
    return { req: request, res: getRequestState(request)?.response ?? {} };
  }
}

/** Counts each request under its tenant. */
@Injectable()
export class TenantThrottlerGuard implements CanActivate {
  readonly #guards = new WeakMap<RateLimits, Promise<LimitsGuard>>();

  constructor(
    @Inject(RateLimitStorage) private readonly storage: RateLimitStorage,
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(RateLimitsOfTenants) private readonly limits: RateLimitsOfTenants,
    @Inject(CountedRequests) private readonly requests: CountedRequests,
  ) {}

  /** @throws RateLimitedError, TenancyUnavailableError, TransportUnknownError */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const tenant = tenantOf(context);
    if (!tenant || weightOf(context) === 0) return true;
    const limits = this.limits.of(tenant);
    if (Object.keys(limits).length === 0) return true;
    const guard = await this.#guardOf(limits);
    return guard.canActivate(context);
  }

  #guardOf(limits: RateLimits): Promise<LimitsGuard> {
    const known = this.#guards.get(limits);
    if (known) return known;
    const guard = new LimitsGuard(limits, this.requests, this.storage, this.reflector);
    const ready = guard.onModuleInit().then(() => guard);
    this.#guards.set(limits, ready);
    return ready;
  }
}

/**
 * By what the middleware found out, not by what `TenantGuard` has let pass: whichever of the two guards comes first,
 * a route without a tenant is not counted, and a claim of nobody is refused by the other one.
 */
function tenantOf(context: ExecutionContext): Tenant | undefined {
  if (routeMetadata(TENANT_NEED, context) === 'free' || arrivalOf(context) !== 'http') return undefined;
  return getRequestState(requestOf(context))?.frame.tenant;
}

function weightOf(context: ExecutionContext): number {
  return routeMetadata<number>(RATE_LIMIT_WEIGHT, context) ?? 1;
}

function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}
