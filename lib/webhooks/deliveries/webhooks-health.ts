import { Injectable, Logger } from '@nestjs/common';
import { messageWithCause } from '../../common/error-message';
import { within } from '../../common/within';
import { DeliveryMeter } from './delivery-meter';
import { DeliveryRows } from './delivery-rows';

/** As `@nestjs/terminus` takes it from an indicator. */
export type WebhooksHealthResult = Record<
  string,
  { readonly status: 'up' | 'down'; readonly [detail: string]: unknown }
>;

const TIMEOUT_MS = 3_000;

/** An indicator for `HealthCheckService.check([() => health.deliveries()])` of `@nestjs/terminus`. It never throws. */
@Injectable()
export class WebhooksHealth {
  readonly #logger = new Logger('Tenancy');

  constructor(
    private readonly rows: DeliveryRows,
    private readonly meter: DeliveryMeter,
  ) {}

  /**
   * Whether what is due is sent: `down` when something waits for an instance for longer than `maxOverdueMs`. A receiver that
   * fails makes nothing `down`; what waits for it is in `oldestMs`.
   */
  async deliveries({ maxOverdueMs = 300_000, key = 'webhooks' } = {}): Promise<WebhooksHealthResult> {
    const { inFlight } = this.meter.read();
    try {
      const { oldestMs, overdueMs } = await within(TIMEOUT_MS, this.rows.waiting());
      const status = overdueMs > maxOverdueMs ? 'down' : 'up';
      return {
        [key]: { oldestMs: Math.round(oldestMs), overdueMs: Math.round(overdueMs), inFlight, status },
      };
    } catch (error) {
      this.#logger.warn(`The health check of webhooks failed: ${messageWithCause(error)}`);
      return { [key]: { inFlight, status: 'down' } };
    }
  }
}
