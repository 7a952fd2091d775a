import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { explainAbsent } from '../common/absent-package';
import { arrivalOf, isGraphql } from '../common/arrival';
import { getRequestState, requestOf } from '../resolution/http/request-state';
import { TENANT_NEED } from '../resolution/http/tenant-route.decorator';
import type { Tenant } from '../registry/tenant';
import { CountedRequests } from './counted-requests';
import { RATE_LIMIT_WEIGHT } from './rate-limit-weight.decorator';
import { RateLimitHeaders } from './rate-limit-headers';
import { RateLimitStorage } from './rate-limit-storage';
import { type NamedRateLimit, RateLimitsOfTenants } from './rate-limits-of-tenants';
import { RateLimitedError } from './throttling.errors';

/** As `@SkipThrottle({ name: true })` of `@nestjs/throttler` marks a route; the module exports no name for it. */
const SKIP = 'THROTTLER:SKIP';

function load(): typeof import('@nestjs/throttler') {
  try {
    return require('@nestjs/throttler') as typeof import('@nestjs/throttler');
  } catch (error) {
    throw explainAbsent(error, '@nestjs/throttler', 'nestjs-tenancy/throttling');
  }
}

const { ThrottlerGuard } = load();

/**
 * Counts each request under its tenant. Of Nest's own guard it keeps the ways to be told to skip, and to reach request
 * and response; so `shouldSkip` and `getRequestResponse` may be overridden as there.
 */
@Injectable()
export class TenantThrottlerGuard extends ThrottlerGuard {
  constructor(
    // All by name: what a parameter of the base class injects holds for the one in its place here.
    @Inject(RateLimitStorage) storage: RateLimitStorage,
    @Inject(Reflector) reflector: Reflector,
    @Inject(RateLimitsOfTenants) private readonly limits: RateLimitsOfTenants,
    @Inject(CountedRequests) private readonly requests: CountedRequests,
  ) {
    super([], storage, reflector);
  }

  /** The limits are those of the tenants, and Nest's guard would warn that it has none. */
  override async onModuleInit(): Promise<void> {}

  /** @throws RateLimitedError, TenancyUnavailableError, TransportUnknownError */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const tenant = this.#tenantOf(context);
    const weight = this.#metadata<number>(RATE_LIMIT_WEIGHT, context) ?? 1;
    if (!tenant || weight === 0 || (await this.shouldSkip(context))) return true;
    const limits = this.limits.of(tenant).filter(([name]) => !this.#metadata(SKIP + name, context));
    if (limits.length > 0) await this.#count(tenant, weight, limits, context);
    return true;
  }

  async #count(
    tenant: Tenant,
    weight: number,
    limits: readonly NamedRateLimit[],
    context: ExecutionContext,
  ): Promise<void> {
    const headers = new RateLimitHeaders();
    for (const [name, rate] of limits) {
      const state = await this.requests.take(`${tenant.id}:${name}`, weight, rate);
      if (!state) continue;
      headers.add(name, rate, state);
      if (state.isRefused) throw new RateLimitedError(name, seconds(state.resetMs), headers.all());
    }
    const { res } = this.getRequestResponse(context);
    for (const [name, value] of Object.entries(headers.all())) this.setResponseHeader(res, name, value);
  }

  /**
   * By what the middleware found out, not by what `TenantGuard` has let pass: whichever of the two guards comes first,
   * a route without a tenant is not counted, and a claim of nobody is refused by the other one.
   */
  #tenantOf(context: ExecutionContext): Tenant | undefined {
    if (this.#metadata(TENANT_NEED, context) === 'free' || arrivalOf(context) !== 'http') return undefined;
    return getRequestState(requestOf(context))?.scope.tenant;
  }

  /** Of GraphQL, too: the response is Node's own there. */
  protected override getRequestResponse(context: ExecutionContext) {
    if (!isGraphql(context)) return super.getRequestResponse(context);
    const request = requestOf(context);
    return { req: request, res: getRequestState(request)?.response ?? {} };
  }

  #metadata<T>(key: string | symbol, context: ExecutionContext): T | undefined {
    return this.reflector.getAllAndOverride<T | undefined>(key, [context.getHandler(), context.getClass()]);
  }
}

function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}
