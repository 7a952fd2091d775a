import { isInteger } from '../common/options/kinds';
import { InvalidMetricError } from './usage.errors';
import { isMetric, METRIC_RULE } from './usage.options';

/**
 * A terabyte, in bytes. The sums of a tenant then stay far below the bounds of PostgreSQL's bigint and of JavaScript's
 * numbers.
 */
const MAX_AMOUNT = 1_000_000_000_000;

/** @throws InvalidMetricError when the name or the amount is not allowed */
export function checkMetric(name: unknown, amount: unknown): void {
  if (!isMetric(name)) throw new InvalidMetricError('metric', name, `give ${METRIC_RULE}.`);
  if (!isInteger(amount, 0, MAX_AMOUNT))
    throw new InvalidMetricError('amount', amount, `give an integer from 0 to ${MAX_AMOUNT}.`);
}
