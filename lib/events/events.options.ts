import type { Registry } from 'prom-client';
import { flag, kind, milliseconds, withMethod } from '../common/options/kinds';
import type { Tenant } from '../registry/tenant';
import { type Given, Option } from '../common/options/option.decorator';

export const EVENTS_OPTIONS = Symbol('EVENTS_OPTIONS');

type RetentionDays = number | ((tenant: Tenant | undefined) => number | undefined);

export class CheckedEventsOptions {
  /**
   * How often followers look for new events of which nothing was told, in milliseconds: an integer from 50 to 60,000.
   * Default 500.
   */
  @Option(milliseconds(50, 60_000))
  readonly pollMs: number = 500;

  /**
   * How long a tenant's events belong to an instance that says nothing more, in milliseconds: an integer from 2,000 to
   * 3,600,000. After that another one goes on with them. Default 30,000.
   */
  @Option(milliseconds(2_000, 3_600_000))
  readonly leaseMs: number = 30_000;

  /**
   * How long a shutdown waits for the calls that have begun, in milliseconds: an integer from 0 to 3,600,000. Then their events are
   * given up to another instance all the same. Default 10,000.
   */
  @Option(milliseconds(0, 3_600_000))
  readonly shutdownTimeoutMs: number = 10_000;

  /**
   * How many days events are kept: a number from 1 to 36,500, or a function that returns one for a tenant, or `undefined` for ever;
   * it is given `undefined` for a tenant that was purged, and for the events of nobody. Every hour older ones are deleted.
   * Default: for ever.
   */
  @Option(
    kind<RetentionDays>(
      'give a number of days from 1 to 36,500, or a function of a tenant',
      (value) => typeof value === 'function' || isDays(value),
    ),
  )
  readonly retentionDays?: RetentionDays;

  /**
   * The registry of `prom-client` that gets the metrics `tenancy_event_unsealed_seconds`,
   * `tenancy_event_follower_behind_seconds`, `tenancy_event_follower_tenants` and `tenancy_event_turns_total`. Only one running
   * application may use it. Default none.
   */
  @Option(withMethod<Registry>('registerMetric', 'give a Registry of prom-client'))
  readonly metricsRegistry?: Registry;
}

/** Options that are given where the module is imported. */
export class CheckedEventsExtras {
  /**
   * Whether the routes `GET /tenant/events` and `GET /tenant/events/export` exist, for callers with the scope `events:read`.
   * They need `TenancyAccessModule`. Default false.
   */
  @Option(flag())
  readonly routes: boolean = false;
}

export function isDays(value: unknown): boolean {
  return typeof value === 'number' && value >= 1 && value <= 36_500;
}

export type TenancyEventsExtras = Given<CheckedEventsExtras>;

export type TenancyEventsOptions = Given<CheckedEventsOptions>;
