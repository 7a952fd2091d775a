import { type Names, unknownOptions } from '../common/known-names';
import { show } from '../common/show-value';
import { InvalidObservabilityOptionsError } from './observability.errors';
import type { MetricsOptions, TenancyObservabilityOptions } from './observability.options';

const KNOWN: Names<TenancyObservabilityOptions> = { metrics: true, spans: true, healthTimeoutMs: true };
const KNOWN_OF_METRICS: Names<MetricsOptions> = { registry: true, prefix: true, maxTenants: true };

/** What Prometheus takes, without the colon, which is for recording rules. */
const PREFIX = /^[a-z_][\w]{0,63}$/i;
const MAX_TENANTS = 1_000;
const MAX_TIMEOUT_MS = 60_000;

/** @throws InvalidObservabilityOptionsError naming all that is wrong, and the remedy */
export function checkObservabilityOptions(options: TenancyObservabilityOptions): TenancyObservabilityOptions {
  const { metrics, spans = false, healthTimeoutMs = 1 } = options ?? {};
  const problems = [
    ...unknownOptions(options, KNOWN),
    ...(metrics === undefined ? [] : metricsProblems(metrics)),
    typeof spans === 'boolean' ? '' : `spans is ${show(spans)}; say true or false`,
    isInteger(healthTimeoutMs, 1, MAX_TIMEOUT_MS)
      ? ''
      : `healthTimeoutMs is ${show(healthTimeoutMs)}; give an integer from 1 to ${MAX_TIMEOUT_MS}`,
  ].filter(Boolean);
  if (problems.length > 0) throw new InvalidObservabilityOptionsError(problems);
  return options ?? {};
}

function metricsProblems(metrics: MetricsOptions): string[] {
  if (typeof metrics !== 'object' || metrics === null)
    return [`metrics is ${show(metrics)}; give { registry: new Registry() } with one of prom-client`];
  const { registry, prefix = 'tenancy_', maxTenants = 0 } = metrics;
  return [
    ...unknownOptions(metrics, KNOWN_OF_METRICS, 'metrics.'),
    typeof (registry as Partial<typeof registry> | undefined)?.registerMetric === 'function'
      ? ''
      : `metrics.registry is ${show(registry)}; give a Registry of prom-client`,
    typeof prefix === 'string' && PREFIX.test(prefix)
      ? ''
      : `metrics.prefix is ${show(prefix)}; give 1 to 64 letters, digits and _, not a digit first`,
    isInteger(maxTenants, 0, MAX_TENANTS)
      ? ''
      : `metrics.maxTenants is ${show(maxTenants)}; give an integer from 0 to ${MAX_TENANTS}`,
  ];
}

function isInteger(value: unknown, from: number, to: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to;
}
