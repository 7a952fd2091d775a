import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import {
  arrivalOf,
  getRequestState,
  isGraphql,
  isUnknownKind,
  requestOf,
  type RequestState,
  RouteMetadata,
} from '../../context/handler-call';
import { TenantRequiredError } from '../../context/context.errors';
import { OperationMixedError, TenantMissingError } from '../resolution.errors';
import { TENANT_NEED, type TenantNeed } from './tenant-route.decorator';

/** Lets a request reach its route when it has the tenant that the route needs. */
@Injectable()
export class TenantGuard implements CanActivate {
  readonly #needs = new RouteMetadata<TenantNeed | 'tenant'>(TENANT_NEED, 'tenant');

  /**
   * @throws TenantMissingError, OperationMixedError, and whatever the middleware could not resolve
   * @throws TenantRequiredError when the middleware did not run
   * @throws TransportUnknownError for what comes by a way that we do not know
   */
  canActivate(context: ExecutionContext): boolean {
    const need = this.#needs.of(context);
    if (need === 'free' && isUnknownKind(context)) return true;
    // Middleware does not run for other transports. Without it there is no tenant, and connections refuse to work.
    if (arrivalOf(context) !== 'http') return true;
    const state = getRequestState(requestOf(context));
    if (state && isGraphql(context)) requireOneKind(state, need === 'free');
    if (need === 'free') {
      if (state) setFree(state);
      return true;
    }
    const { frame } = this.#settled(state, context);
    if (!frame.tenant && need !== 'optional') throw new TenantMissingError();
    return true;
  }

  #settled(state: RequestState | undefined, context: ExecutionContext): RequestState {
    if (!state) throw middlewareMissing(context);
    if (state.failure) throw state.failure.error;
    return state;
  }
}

function setFree(state: RequestState): void {
  state.isFree = true;
  state.frame.tenant = undefined;
}

/** The parts of one GraphQL request have one frame: cleared for one of them, it would be so for all. */
function requireOneKind(state: RequestState, isFree: boolean): void {
  if ((state.isFree ??= isFree) !== isFree) throw new OperationMixedError();
}

/** What to say on a route that the middleware did not run for. */
export function middlewareMissing(context: ExecutionContext): TenantRequiredError {
  return new TenantRequiredError(
    `The tenant middleware did not run before ${context.getClass().name}.${context.getHandler().name}(). ` +
      'Import TenancyModule.forRoot() in the root module, exclude no route from its middleware, ' +
      'or mark a route that belongs to nobody with @TenantFree().',
  );
}
