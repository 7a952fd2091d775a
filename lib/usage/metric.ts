import { InvalidMetricError } from './usage.errors';
import { isMetric } from './usage.options';

/** A terabyte, in bytes. A tenant's sums stay far below what PostgreSQL's bigint and JavaScript's numbers hold. */
const MAX_AMOUNT = 1_000_000_000_000;

/** @throws InvalidMetricError */
export function checkMetric(name: unknown, amount: unknown): void {
  if (!isMetric(name))
    throw new InvalidMetricError(
      'metric',
      name,
      'give 1 to 100 characters of a-z A-Z 0-9 _ . -, a letter first.',
    );
  if (!Number.isSafeInteger(amount) || (amount as number) < 0 || (amount as number) > MAX_AMOUNT)
    throw new InvalidMetricError('amount', amount, `give an integer from 0 to ${MAX_AMOUNT}.`);
}
