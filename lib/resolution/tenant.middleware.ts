import type { ServerResponse } from 'node:http';
import { Injectable, type NestMiddleware } from '@nestjs/common';
import { TenantContext } from '../context/tenant-context';
import type { Tenant } from '../tenant/tenant';
import { setRequestState, type RequestState } from './request-state';
import type { PlatformRequest } from './tenant-request';
import { TenantResolution } from './tenant-resolution';

/**
 * Runs all that follows in a request for the request's tenant. It refuses nothing: routes differ in what they need,
 * and only the guard knows the route.
 */
@Injectable()
export class TenantMiddleware implements NestMiddleware<PlatformRequest, ServerResponse> {
  constructor(
    private readonly resolution: TenantResolution,
    private readonly context: TenantContext,
  ) {}

  use(request: PlatformRequest, _response: ServerResponse, next: () => void): void | Promise<void> {
    const run = (state: RequestState) => {
      setRequestState(request, state);
      this.context.runScope(state.scope, next);
    };
    let tenant: Tenant | Promise<Tenant | undefined>;
    try {
      tenant = this.resolution.resolve(this.resolution.requestOf(request));
    } catch (error) {
      return run({ scope: {}, failure: { error } });
    }
    if (!(tenant instanceof Promise)) return run({ scope: { tenant } });
    return tenant
      .then<RequestState, RequestState>(
        (found) => ({ scope: { tenant: found } }),
        (error: unknown) => ({ scope: {}, failure: { error } }),
      )
      .then(run);
  }
}
