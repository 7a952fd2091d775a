import type { Tenant } from '../registry/tenant';

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
  /** The QueryRunner of the transaction that the code runs in by itself, in which others do not share. */
  readonly queryRunner?: object;
  /** Work on a tenant rather than for it, such as its migration: what limits a tenant's requests does not hold. */
  readonly unlimited?: true;
  /** Work that makes the tenant's schema, or looks for it itself. All other is refused while the schema is missing. */
  readonly unborn?: true;
  /** The outermost of the scopes that this one was entered in: all of them are one piece of work. See `workOf`. */
  readonly work?: object;
}

/** A transaction of the connection layer, as much as a scope needs to know of it. */
export interface SharedTransaction {
  readonly isOpen: boolean;
}

/** The scope of one request. */
export type RequestScope = Pick<Scope, 'tenant'>;

/** Scopes that were entered one inside another are one piece of work, which can wait for itself. */
export function workOf(scope: Scope): object {
  return scope.work ?? scope;
}

/** As it is now: the tenant of a request's own may be cleared later. Field by field, which is far cheaper than a spread. */
export function copyOf(scope: Scope): Scope {
  const { tenant, schemaName, system, starting, transaction, unlimited, unborn } = scope;
  return { tenant, schemaName, system, starting, transaction, unlimited, unborn, work: workOf(scope) };
}

/** Two scopes with one key may share a connection's loan. `undefined`: nobody. */
export function scopeKey(scope: Scope | undefined): string | undefined {
  if (!scope) return undefined;
  if (scope.tenant) return scope.tenant.id;
  if (scope.system) return 'system';
  return scope.schemaName && `schema ${scope.schemaName}`;
}
