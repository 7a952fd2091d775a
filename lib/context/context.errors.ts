import { TenancyError } from '../common/tenancy.errors';
import type { Tenant } from '../tenant/tenant';

/** Code that needs a tenant ran without one. Nothing was sent to the database. */
export class TenantRequiredError extends TenancyError {
  readonly code = 'TENANT_REQUIRED';

  constructor(
    message = 'No tenant in the current context. Call this inside a request that carries a tenant, inside TenantContext.run(tenant, work), ' +
      'or say that it belongs to nobody with TenantContext.runAsSystem(work).',
  ) {
    super(message);
  }
}

/** `eachTenant` visited every tenant, and the work of some of them failed. */
export class TenantsFailedError extends TenancyError {
  readonly code = 'TENANTS_FAILED';

  constructor(readonly failures: readonly { readonly tenant: Tenant; readonly error: unknown }[]) {
    super(
      `The work failed for ${failures.length} tenant(s): ` +
        failures
          .slice(0, 10)
          .map(
            ({ tenant, error }) =>
              `${tenant.slug} (${error instanceof Error ? error.message : String(error)})`,
          )
          .join(', ') +
        (failures.length > 10 ? ', …' : ''),
      { cause: failures[0]?.error },
    );
  }
}
