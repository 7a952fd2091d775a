import { messageOf } from '../common/error-message';
import { TenancyError } from '../common/tenancy.errors';
import type { Tenant } from '../registry/tenant';

/** Code that needs a tenant ran without one. Nothing was sent to the database. */
export class TenantRequiredError extends TenancyError {
  readonly code = 'TENANT_REQUIRED';

  constructor(
    message = 'No tenant in the current context. Call this inside a request that carries a tenant, inside TenantContext.run(tenant, work), ' +
      'for all tenants inside TenantContext.eachTenant(work), or say that it belongs to nobody with TenantContext.runAsSystem(work).',
  ) {
    super(message);
  }
}

/**
 * An Observable that a handler returned emitted in the name of another tenant than its subscriber's. Nothing was sent.
 */
export class ForeignEmissionError extends TenancyError {
  readonly code = 'FOREIGN_EMISSION';

  constructor() {
    super(
      'An Observable emitted for another tenant than the one that subscribed: the source that they share ran the operators of one ' +
        'for the other. Put forSubscriber() of nestjs-tenancy right behind the shared source: bus.pipe(forSubscriber(), concatMap(...)).',
    );
  }
}

/** The work of `eachTenant` failed for some tenants, or their list could not be read to its end. */
export class TenantsFailedError extends TenancyError {
  readonly code = 'TENANTS_FAILED';
  /** For how many tenants the work was begun; it has ended for all of them. */
  readonly visited: number;
  /**
   * Why the list could not be read on: tenants that come after those visited had no turn. `undefined`: all had theirs.
   */
  readonly listError: unknown;

  constructor(
    readonly failures: readonly { readonly tenant: Tenant; readonly error: unknown }[],
    { visited, listError }: { readonly visited: number; readonly listError?: unknown },
  ) {
    super([describeFailures(failures, visited), describeEnd(listError)].filter(Boolean).join(' '), {
      cause: listError ?? failures[0]?.error,
    });
    this.visited = visited;
    this.listError = listError;
  }
}

function describeFailures(failures: TenantsFailedError['failures'], visited: number): string {
  if (failures.length === 0) return `The work was done for ${visited} tenant(s).`;
  const named = failures.slice(0, 10).map(({ tenant, error }) => `${tenant.slug} (${describe(error)})`);
  const rest = failures.length > 10 ? ', …' : '';
  return `The work failed for ${failures.length} of ${visited} tenant(s): ${named.join(', ')}${rest}`;
}

function describeEnd(listError: unknown): string {
  if (listError === undefined) return '';
  return `The list of tenants could not be read to its end (${describe(listError)}), so the later ones had no turn: run it again.`;
}

function describe(error: unknown): string {
  return messageOf(error);
}
