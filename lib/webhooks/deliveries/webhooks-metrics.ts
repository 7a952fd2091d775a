import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Metric, Registry } from 'prom-client';
import { loadPromClient, OwnMetrics } from '../../common/own-metrics';
import { within } from '../../common/within';
import { InvalidWebhooksOptionsError } from '../webhooks.errors';
import { type CheckedWebhooksOptions, WEBHOOKS_OPTIONS } from '../webhooks.options';
import { DeliveryMeter } from './delivery-meter';
import { DeliveryRows } from './delivery-rows';

const PREFIX = 'tenancy_webhook';

/** Prometheus waits ten seconds for an answer. */
const MAX_WAIT_MS = 1_000;

/** Metrics of webhooks in a registry of `prom-client`: of all instances together what waits, of this one what it sends. */
@Injectable()
export class WebhooksMetrics implements OnModuleInit, OnApplicationShutdown {
  readonly #registry: Registry | undefined;
  #metrics: OwnMetrics | undefined;

  constructor(
    @Inject(WEBHOOKS_OPTIONS) { deliveries }: CheckedWebhooksOptions,
    private readonly rows: DeliveryRows,
    private readonly meter: DeliveryMeter,
  ) {
    this.#registry = deliveries.metricsRegistry;
  }

  /** @throws InvalidWebhooksOptionsError when the registry has metrics of these names */
  onModuleInit(): void {
    if (!this.#registry) return;
    this.#metrics ??= new OwnMetrics(this.#registry, this.#make());
    const message = this.#metrics.register();
    if (message !== undefined)
      throw new InvalidWebhooksOptionsError([{ field: 'deliveries.metricsRegistry', message }]);
  }

  onApplicationShutdown(): void {
    this.#metrics?.remove();
  }

  #make(): Metric[] {
    const { Counter, Gauge } = loadPromClient('`deliveries.metricsRegistry`');
    const common = { registers: [] };
    const { meter, rows } = this;
    const waiting = new Gauge({
      ...common,
      name: `${PREFIX}_waiting_seconds`,
      help: 'oldest: age of the oldest webhook that is neither delivered nor dead; overdue: for how long one is due that no instance sends',
      labelNames: ['kind'],
      async collect() {
        this.reset();
        // Without a value while the registry is away: a scrape must not fail for it.
        const found = await within(MAX_WAIT_MS, rows.waiting()).catch(() => undefined);
        if (!found) return;
        this.set({ kind: 'oldest' }, found.oldestMs / 1_000);
        this.set({ kind: 'overdue' }, found.overdueMs / 1_000);
      },
    });
    const inFlight = new Gauge({
      ...common,
      name: `${PREFIX}s_in_flight`,
      help: 'Requests to receivers that this instance waits for',
      collect() {
        this.set(meter.read().inFlight);
      },
    });
    const attempts = new Counter({
      ...common,
      name: `${PREFIX}_attempts_total`,
      help: 'Requests that this instance has sent: delivered, failed, dead (failed for the last time)',
      labelNames: ['result'],
      collect() {
        this.reset();
        const { delivered, failed, dead } = meter.read();
        for (const [result, count] of Object.entries({ delivered, failed, dead }))
          this.inc({ result }, count);
      },
    });
    return [waiting, inFlight, attempts] as Metric[];
  }
}
