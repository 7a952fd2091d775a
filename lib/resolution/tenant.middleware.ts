import type { ServerResponse } from 'node:http';
import { Injectable, type NestMiddleware } from '@nestjs/common';
import { TenantContext } from '../context/tenant-context';
import { setRequestState, type RequestState } from './request-state';
import { toTenantRequest, type PlatformRequest } from './tenant-request';
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

  async use(request: PlatformRequest, _response: ServerResponse, next: () => void): Promise<void> {
    const state = await this.#settle(request);
    setRequestState(request, state);
    this.context.runScope(state.scope, next);
  }

  async #settle(request: PlatformRequest): Promise<RequestState> {
    try {
      return { scope: { tenant: await this.resolution.resolve(toTenantRequest(request)) } };
    } catch (error) {
      return { scope: {}, failure: { error } };
    }
  }
}
