import type { Registry } from 'prom-client';
import { flag, integer, milliseconds, withMethod } from '../../common/options/kinds';
import { Option } from '../../common/options/option.decorator';

const DAY_MS = 86_400_000;

export class CheckedDeliveriesOptions {
  /** Whether this instance sends. Default true. Others send what is due meanwhile. */
  @Option(flag())
  readonly enabled: boolean = true;

  /** How many requests an endpoint gets at once, from all instances together: an integer from 1 to 100. Default 4. */
  @Option(integer(1, 100))
  readonly concurrencyPerEndpoint: number = 4;

  /** How many requests an endpoint gets in a second, from all instances together: an integer from 1 to 10,000. Default 100. */
  @Option(integer(1, 10_000))
  readonly perSecondPerEndpoint: number = 100;

  /**
   * To how many endpoints one instance sends at once: an integer from 1 to 1,000. Half of them at most are endpoints that
   * fail. Each may hold 1.6 MB of payloads. Default 32.
   */
  @Option(integer(1, 1_000))
  readonly endpointsAtOnce: number = 32;

  /**
   * How long a delivery is kept after it has arrived or was given up, in milliseconds: an integer from one day (86,400,000)
   * to 3,650 days. Until then it is listed and may be sent again. Default 2,592,000,000, which is 30 days.
   */
  @Option(milliseconds(DAY_MS, 3_650 * DAY_MS))
  readonly keepMs: number = 30 * DAY_MS;

  /**
   * How long a shutdown waits for requests under way, in milliseconds: an integer from 0 to 60,000. After that they are sent
   * again by another instance. Default 10,000.
   */
  @Option(milliseconds(0, 60_000))
  readonly shutdownTimeoutMs: number = 10_000;

  /**
   * The registry of `prom-client` that gets the metrics `tenancy_webhook_waiting_seconds`, `tenancy_webhooks_in_flight` and
   * `tenancy_webhook_attempts_total`. Only one running application may use it. Default none.
   */
  @Option(withMethod<Registry>('registerMetric', 'give a Registry of prom-client'))
  readonly metricsRegistry?: Registry;
}
