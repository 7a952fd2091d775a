import type { ServerResponse } from 'node:http';
import { Injectable, type NestMiddleware } from '@nestjs/common';
import { TenantContext } from '../../context/tenant-context';
import type { Tenant } from '../../registry/tenant';
import { RequestState, setRequestState } from './request-state';
import type { PlatformRequest } from './tenant-request';
import { TenantResolution } from '../tenant-resolution';
import { addVary } from './vary';

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

  use(request: PlatformRequest, response: ServerResponse, next: () => void): void | Promise<void> {
    const run = (tenant?: Tenant, failure?: RequestState['failure']) => {
      const scope = { tenant };
      const state = new RequestState(scope, response, this.context, failure);
      setRequestState(request, state);
      if (this.resolution.vary !== '') addVary(response, () => (state.isFree ? '' : this.resolution.vary));
      this.context.runScope(scope, next);
    };
    let tenant: Tenant | Promise<Tenant | undefined>;
    try {
      tenant = this.resolution.resolve(this.resolution.requestOf(request));
    } catch (error) {
      return run(undefined, { error });
    }
    if (!(tenant instanceof Promise)) return run(tenant);
    return tenant.then(
      (found) => run(found),
      (error: unknown) => run(undefined, { error }),
    );
  }
}
