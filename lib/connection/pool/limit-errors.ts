import { DatabaseError } from 'pg';
import { IdleTransactionError, LockTimeoutError, StatementTimeoutError } from '../connection.errors';
import type { TransactionParameters } from '../protocol/transaction-parameters';

/** idle_in_transaction_session_timeout: the last message of PostgreSQL before it closes the connection. */
export const IDLE_IN_TRANSACTION = '25P03';

/** query_canceled: by a timeout, or by pg_cancel_backend. */
const CANCELLED = '57014';

/** lock_not_available, which NOWAIT raises as well, but from another routine. */
const LOCK_NOT_AVAILABLE = '55P03';

/** The routine of PostgreSQL that reports a timeout. Its messages are translated, but not this name. */
const TIMES_OUT = 'ProcessInterrupts';

/**
 * An error that names the tenant's timeout which was hit; any other error as it is.
 *
 * @param tookMs since the statement was sent. A cancellation before the timeout was asked for by somebody.
 */
export function explainLimit(error: Error, { values }: TransactionParameters, tookMs: number): Error {
  if (!(error instanceof DatabaseError)) return error;
  if (error.code === IDLE_IN_TRANSACTION) return new IdleTransactionError({ cause: error });
  if (error.routine !== TIMES_OUT) return error;
  const { statement_timeout: statementMs = '0', lock_timeout: lockMs = '0' } = values;
  if (error.code === CANCELLED && statementMs !== '0' && tookMs >= Number(statementMs))
    return new StatementTimeoutError(Number(statementMs), { cause: error });
  if (error.code === LOCK_NOT_AVAILABLE && lockMs !== '0')
    return new LockTimeoutError(Number(lockMs), { cause: error });
  return error;
}
