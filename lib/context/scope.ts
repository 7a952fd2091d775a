import type { Tenant } from '../tenant/tenant';

/**
 * Who a piece of code runs for: a tenant, one schema by name (the template), the system, or nobody yet.
 * A request's scope is made before its tenant is settled, so `tenant` may be set and cleared; the others never change.
 */
export interface Scope {
  tenant?: Tenant;
  readonly schemaName?: string;
  readonly system?: true;
  /** The system while the data source starts. */
  readonly starting?: true;
  /** The transaction that all code in this scope shares, if it does. */
  readonly transaction?: SharedTransaction;
}

/** A transaction of the connection layer, as much as a scope needs to know of it. */
export interface SharedTransaction {
  readonly isOpen: boolean;
}

/** The scope of one request. */
export type RequestScope = Pick<Scope, 'tenant'>;

/** Two scopes with one key may share a connection's loan. `undefined`: nobody. */
export function scopeKey(scope: Scope | undefined): string | undefined {
  if (!scope) return undefined;
  if (scope.tenant) return scope.tenant.id;
  if (scope.system) return 'system';
  return scope.schemaName && `schema ${scope.schemaName}`;
}
