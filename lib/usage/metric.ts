import { InvalidMetricError } from './usage.errors';

/** `orders.created`: ASCII only, so that no two names look alike. */
const METRIC = /^[A-Za-z][\w.-]{0,99}$/;

export function isMetric(name: unknown): name is string {
  return typeof name === 'string' && METRIC.test(name);
}

/** @throws InvalidMetricError */
export function checkMetric(name: unknown, amount: unknown): void {
  if (!isMetric(name))
    throw new InvalidMetricError(
      'metric',
      name,
      'give 1 to 100 characters of a-z A-Z 0-9 _ . -, a letter first.',
    );
  if (!Number.isSafeInteger(amount) || (amount as number) < 0)
    throw new InvalidMetricError('amount', amount, 'give an integer from 0.');
}
