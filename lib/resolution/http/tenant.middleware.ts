import type { ServerResponse } from 'node:http';
import { Injectable, type NestMiddleware } from '@nestjs/common';
import { TenantContext } from '../../context/tenant-context';
import type { Tenant } from '../../registry/tenant';
import { RequestState, setRequestState } from './request-state';
import type { PlatformRequest } from './tenant-request';
import { TenantResolution } from '../tenant-resolution';
import { VaryHeader } from './vary';

/**
 * Runs all that follows in a request for the request's tenant. It refuses nothing: routes differ in what they need,
 * and only the guard knows the route.
 */
@Injectable()
export class TenantMiddleware implements NestMiddleware<PlatformRequest, ServerResponse> {
  readonly #vary: VaryHeader;

  constructor(
    private readonly resolution: TenantResolution,
    private readonly context: TenantContext,
  ) {
    this.#vary = new VaryHeader(resolution.vary);
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
    this.#vary.addTo(response, state);
    this.context.runInFrame(frame, next);
  }
}
