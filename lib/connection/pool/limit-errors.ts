import { DatabaseError } from 'pg';
import { IdleTransactionError, LockTimeoutError, StatementTimeoutError } from '../connection.errors';
import type { TransactionSettings } from '../protocol/settings';

/** idle_in_transaction_session_timeout: PostgreSQL's last word before it closes the connection. */
export const IDLE_IN_TRANSACTION = '25P03';

/** Cancelled, whether by a limit or by somebody: query_canceled. */
const CANCELLED = '57014';

/** lock_not_available; NOWAIT's comes from another routine. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Where PostgreSQL notices that a time has run out. Messages are translated, names are not. */
const TIMES_OUT = 'ProcessInterrupts';

/**
 * What to tell of an error: for a limit of the tenant's that was hit, which one; any other as it is.
 *
 * @param tookMs since the statement was sent. A cancellation before the limit is somebody's who asked for it.
 */
export function explainLimit(error: Error, { values }: TransactionSettings, tookMs: number): Error {
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
