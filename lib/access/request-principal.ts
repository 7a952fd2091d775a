import { TenantRequiredError } from '../context/context.errors';
import type { Principal } from './principal';

const PRINCIPAL = Symbol('nestjs-tenancy principal');

export function setPrincipal(request: object, principal: Principal): void {
  Object.assign(request, { [PRINCIPAL]: principal });
}

/** Who sent a request; `undefined` on a public route without a credential, and before the guard has run. */
export function principalOf(request: object): Principal | undefined {
  return (request as { [PRINCIPAL]?: Principal })[PRINCIPAL];
}

/** The principal of a request that is about a tenant. @throws TenantRequiredError when it is about none */
export function inTenant(principal: Principal | undefined): Principal & { readonly tenantId: string } {
  if (principal?.tenantId === undefined) throw new TenantRequiredError();
  return principal as Principal & { readonly tenantId: string };
}
