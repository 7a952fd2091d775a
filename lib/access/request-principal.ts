import type { Principal } from './principal';

const PRINCIPAL = Symbol('nestjs-tenancy principal');

export function setPrincipal(request: object, principal: Principal): void {
  Object.assign(request, { [PRINCIPAL]: principal });
}

/** Who sent a request; `undefined` on a public route without a credential, and before the guard has run. */
export function principalOf(request: object): Principal | undefined {
  return (request as { [PRINCIPAL]?: Principal })[PRINCIPAL];
}
