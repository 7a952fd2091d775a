import { TenancyError } from '../common/tenancy.errors';

/** A connection lent to one tenant was asked to work for another. Nothing was sent. */
export class TenantContextMismatchError extends TenancyError {
  readonly code = 'TENANT_CONTEXT_MISMATCH';

  constructor(lentTo: string, caller: string) {
    super(
      `This connection was lent to ${lentTo}, but the calling code runs for ${caller}. A QueryRunner, EntityManager or client ` +
        'taken inside one TenantContext.run() must not be used inside another: take one inside each.',
    );
  }
}

/** A client was used after its release. Nothing was sent: the connection may already work for somebody else. */
export class LeaseEndedError extends TenancyError {
  readonly code = 'LEASE_ENDED';

  constructor() {
    super('This client was released. Take another from the pool; do not keep a client beyond release().');
  }
}

/** The session behind the tenants' pool is not the empty one that isolation rests on. */
export class UnsafeSessionError extends TenancyError {
  readonly code = 'UNSAFE_SESSION';

  constructor(searchPath: string) {
    super(
      `New sessions start with search_path = ${JSON.stringify(searchPath)}, so a statement without a tenant could find tables. ` +
        'The start-up option "-c search_path=" was dropped, as PgBouncer does. Run: ALTER ROLE <the login role> SET search_path = \'\'.',
    );
  }
}

/** A pooler refused the tenants' connections for the start-up options they bring. Waiting does not help. */
export class UnsupportedStartupParameterError extends TenancyError {
  readonly code = 'UNSUPPORTED_STARTUP_PARAMETER';

  /** Not `cause`: a connection that was refused counts as an outage there, and would be tried again. */
  constructor(refusal: string) {
    super(
      `The pooler before PostgreSQL refuses connections that ask for an empty search_path: ${refusal}. ` +
        'Set "ignore_startup_parameters = extra_float_digits,options" in pgbouncer.ini, so that it drops what it cannot pass on, ' +
        "and give the login role the empty path instead: ALTER ROLE <the login role> SET search_path = ''.",
    );
  }
}

/** A part of a shared transaction was rolled back, so none of it can be kept. */
export class TransactionDoomedError extends TenancyError {
  readonly code = 'TRANSACTION_DOOMED';

  constructor() {
    super(
      'A part of the transaction that this code shares was rolled back, so nothing of it is kept. Let the error of that part ' +
        'reach the end of the transaction, or run the part on a manager of its own: connection.transaction(...) outside of it.',
    );
  }
}

/** A text would have ended a transaction that other code shares. Nothing was sent. */
export class TransactionCommandError extends TenancyError {
  readonly code = 'TRANSACTION_COMMAND_REFUSED';

  constructor() {
    super(
      'A text that begins or ends a transaction among other statements, with AND CHAIN, or with PREPARE TRANSACTION, ' +
        'cannot be sent inside a shared transaction (TenantTransactions, @TenantTransaction()). Send each command by itself.',
    );
  }
}
