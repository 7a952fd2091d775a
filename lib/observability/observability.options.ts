import type { Registry } from 'prom-client';

export const OBSERVABILITY_OPTIONS = Symbol('OBSERVABILITY_OPTIONS');

export interface MetricsOptions {
  /** Where the metrics go: a registry of `prom-client` that no other application of this process uses. */
  readonly registry: Registry;
  /** What the names begin with: letters, digits and `_`, not a digit first. Default `tenancy_`. */
  readonly prefix?: string;
  /**
   * How many tenants have series of their own, those that ask for most; the others are counted together as `other`. An
   * integer from 0 to 1,000. Default 20. Each has a dozen series at most.
   */
  readonly maxTenants?: number;
}

export interface TenancyObservabilityOptions {
  /** Metrics, with the package `prom-client`. Default: none. */
  readonly metrics?: MetricsOptions;
  /**
   * Whether the active span of a request gets `tenant.id` and `tenant.slug`, by the package `@opentelemetry/api`. Default
   * false.
   */
  readonly spans?: boolean;
  /** How long a health check waits before it says `down`, in milliseconds, an integer from 1 to 60,000. Default 3,000. */
  readonly healthTimeoutMs?: number;
}
