import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { TenantRequiredError } from '../context/context.errors';
import { getRequestState, type RequestState } from './request-state';
import { TenantMissingError } from './resolution.errors';
import { TENANT_NEED, type TenantNeed } from './tenant-route.decorator';

/** Lets a request reach its route when it has the tenant that the route needs. */
@Injectable()
export class TenantGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  /**
   * @throws TenantMissingError, and whatever the middleware could not resolve
   * @throws TenantRequiredError when the middleware did not run
   */
  canActivate(context: ExecutionContext): boolean {
    // Middleware does not run for other transports. Without it there is no tenant, and connections refuse to work.
    if (context.getType() !== 'http') return true;
    const state = getRequestState(context.switchToHttp().getRequest());
    const need = this.#need(context);
    if (need === 'free') {
      if (state) state.scope.tenant = undefined;
      return true;
    }
    const { scope } = this.#settled(state, context);
    if (!scope.tenant && need !== 'optional') throw new TenantMissingError();
    return true;
  }

  #need(context: ExecutionContext): TenantNeed | undefined {
    return this.reflector.getAllAndOverride<TenantNeed | undefined>(TENANT_NEED, [
      context.getHandler(),
      context.getClass(),
    ]);
  }

  #settled(state: RequestState | undefined, context: ExecutionContext): RequestState {
    if (!state) throw middlewareMissing(context);
    if (state.failure) throw state.failure.error;
    return state;
  }
}

/** What to say on a route that the middleware did not run for. */
export function middlewareMissing(context: ExecutionContext): TenantRequiredError {
  return new TenantRequiredError(
    `The tenant middleware did not run before ${context.getClass().name}.${context.getHandler().name}(). ` +
      'Import TenancyModule.forRoot() in the root module, exclude no route from its middleware, ' +
      'or mark a route that belongs to nobody with @TenantFree().',
  );
}
