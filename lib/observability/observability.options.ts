import type { Registry } from 'prom-client';
import { flag, group, integer, text, withMethod } from '../common/options/kinds';
import { type Given, Option } from '../common/options/option.decorator';

export const OBSERVABILITY_OPTIONS = Symbol('OBSERVABILITY_OPTIONS');

/** What Prometheus accepts in names, without the colon, which is for recording rules. */
const PREFIX = /^[a-z_][\w]{0,63}$/i;

export class CheckedMetricsOptions {
  /** The registry of `prom-client` that gets the metrics. Only one running application may use it. */
  @Option(withMethod<Registry>('registerMetric', 'give a Registry of prom-client'), { required: true })
  readonly registry!: Registry;

  /** The prefix of the metrics' names: letters, digits and `_`, not a digit first. Default `tenancy_`. */
  @Option(text('give 1 to 64 letters, digits and _, not a digit first', (value) => PREFIX.test(value)))
  readonly prefix: string = 'tenancy_';

  /**
   * How many tenants have series of their own: those with the most requests. The others are counted together as
   * `other`. An integer from 0 to 1,000. Default 20. Each tenant has a dozen series at most.
   */
  @Option(integer(0, 1_000))
  readonly maxTenants: number = 20;
}

export type MetricsOptions = Given<Omit<CheckedMetricsOptions, 'registry'>> &
  Pick<CheckedMetricsOptions, 'registry'>;

export class CheckedObservabilityOptions {
  /** Metrics, with the package `prom-client`. Default none. */
  @Option(group(CheckedMetricsOptions))
  readonly metrics?: CheckedMetricsOptions;

  /**
   * Whether the active span of a request gets the attributes `tenant.id` and `tenant.slug`, with the package
   * `@opentelemetry/api`. Default false.
   */
  @Option(flag())
  readonly spans: boolean = false;

  /**
   * How long a health check waits before it reports `down`, in milliseconds, an integer from 1 to 60,000. Default
   * 3,000.
   */
  @Option(integer(1, 60_000))
  readonly healthTimeoutMs: number = 3_000;
}

export interface TenancyObservabilityOptions extends Given<Omit<CheckedObservabilityOptions, 'metrics'>> {
  /** Metrics, with the package `prom-client`. Default none. */
  readonly metrics?: MetricsOptions;
}
