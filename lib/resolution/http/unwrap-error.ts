import { QueryFailedError } from 'typeorm';
import { isOutage } from '../../common/outage';
import { TenancyError, TenancyUnavailableError } from '../../common/tenancy.errors';

/** What TypeORM wraps in `QueryFailedError` as what it is, ours or an outage; everything else as it came. */
export function unwrapError(error: unknown): unknown {
  if (!(error instanceof QueryFailedError)) return error;
  const cause: unknown = error.driverError;
  if (cause instanceof TenancyError) return cause;
  return isOutage(error) ? new TenancyUnavailableError('The database', { cause: error }) : error;
}
