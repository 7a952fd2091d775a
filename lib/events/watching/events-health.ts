import { Injectable, Logger } from '@nestjs/common';
import { messageWithCause } from '../../common/error-message';
import { within } from '../../common/within';
import { EventLags } from './event-lags';
import { TurnMeter } from './turn-meter';

/** As `@nestjs/terminus` takes it from an indicator. */
export type EventsHealthResult = Record<
  string,
  { readonly status: 'up' | 'down'; readonly [detail: string]: unknown }
>;

const TIMEOUT_MS = 3_000;

/** An indicator for `HealthCheckService.check([() => health.followers()])` of `@nestjs/terminus`. It never throws. */
@Injectable()
export class EventsHealth {
  readonly #logger = new Logger('Tenancy');

  constructor(
    private readonly lags: EventLags,
    private readonly meter: TurnMeter,
  ) {}

  /**
   * Whether the followers that this instance has are told: `down` when something waits to be sealed or taken up for longer than
   * `maxOverdueMs`. A call that fails makes nothing `down`; what waits for it is in `behindMs`.
   */
  async followers({ maxOverdueMs = 300_000, key = 'events' } = {}): Promise<EventsHealthResult> {
    try {
      const { unsealedMs, followers } = await within(TIMEOUT_MS, this.lags.read());
      // One that no instance has any more is behind for ever, until it is forgotten.
      const own = followers.filter(({ name }) => this.meter.read().has(name));
      const behindMs = Math.max(0, ...own.map((each) => each.behindMs));
      // Without followers nothing is sealed before somebody reads.
      const overdueMs = own.length > 0 ? Math.max(unsealedMs, ...own.map((each) => each.overdueMs)) : 0;
      const failing = own.reduce((sum, each) => sum + each.failing, 0);
      const status = overdueMs > maxOverdueMs ? 'down' : 'up';
      return {
        [key]: { behindMs: Math.round(behindMs), overdueMs: Math.round(overdueMs), failing, status },
      };
    } catch (error) {
      this.#logger.warn(`The health check of events failed: ${messageWithCause(error)}`);
      return { [key]: { status: 'down' } };
    }
  }
}
