import { inspect } from 'node:util';
import { isInteger, milliseconds } from '../../common/options/kinds';
import { Option } from '../../common/options/option.decorator';
import type { Tenant } from '../../registry/tenant';

/** PostgreSQL's own bound. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Timeouts that PostgreSQL enforces, in milliseconds from 0 to 2,147,483,647. 0: no timeout, whatever the login role has.
 * Left out: the timeout of the login role.
 */
export class TenantTimeouts {
  /** A statement that takes longer is cancelled, with `StatementTimeoutError`. Milliseconds from 0. Default none. */
  @Option(milliseconds(0, MAX_TIMEOUT_MS), { variable: 'TENANCY_STATEMENT_TIMEOUT_MS' })
  readonly statementTimeoutMs?: number;

  /** One that waits longer for a lock is cancelled, with `LockTimeoutError`. Milliseconds from 0. Default none. */
  @Option(milliseconds(0, MAX_TIMEOUT_MS), { variable: 'TENANCY_LOCK_TIMEOUT_MS' })
  readonly lockTimeoutMs?: number;

  /**
   * A transaction in which nothing is sent for longer is rolled back and its connection closed: `IdleTransactionError`.
   * Milliseconds from 0. Default none.
   */
  @Option(milliseconds(0, MAX_TIMEOUT_MS), { variable: 'TENANCY_IDLE_IN_TRANSACTION_TIMEOUT_MS' })
  readonly idleInTransactionTimeoutMs?: number;
}

/** The same for all tenants, or what a function says. It is asked again whenever the tenant has changed. */
export type TenantTimeoutsOption = TenantTimeouts | ((tenant: Tenant) => TenantTimeouts);

const TIMEOUT_PARAMETERS = {
  statementTimeoutMs: 'statement_timeout',
  lockTimeoutMs: 'lock_timeout',
  idleInTransactionTimeoutMs: 'idle_in_transaction_session_timeout',
} as const satisfies Record<keyof TenantTimeouts, string>;

/**
 * The timeouts of a tenant as PostgreSQL parameters that ride with its statements.
 *
 * @throws RangeError when PostgreSQL would not take a value
 */
export function timeoutParameters(option: TenantTimeoutsOption, tenant: Tenant): Record<string, string> {
  const timeouts = typeof option === 'function' ? option(tenant) : option;
  const parameters: Record<string, string> = {};
  for (const [name, parameter] of Object.entries(TIMEOUT_PARAMETERS)) {
    const ms: unknown = timeouts[name as keyof TenantTimeouts];
    if (ms === undefined) continue;
    if (!isInteger(ms, 0, MAX_TIMEOUT_MS)) {
      throw new RangeError(
        `database.timeouts gave ${name} = ${inspect(ms)} for "${tenant.slug}": give milliseconds, an integer from 0 to ${MAX_TIMEOUT_MS}.`,
      );
    }
    parameters[parameter] = String(ms);
  }
  return parameters;
}
