import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Metric, Registry } from 'prom-client';
import { explainAbsent } from '../../common/absent-package';
import { within } from '../../common/within';
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
  #metrics: Metric[] = [];

  constructor(
    @Inject(WEBHOOKS_OPTIONS) { deliveries }: CheckedWebhooksOptions,
    private readonly rows: DeliveryRows,
    private readonly meter: DeliveryMeter,
  ) {
    this.#registry = deliveries.metricsRegistry;
  }

  onModuleInit(): void {
    if (!this.#registry) return;
    const { Counter, Gauge } = loadPromClient();
    const common = { registers: [this.#registry] };
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
    this.#metrics = [waiting, inFlight, attempts] as Metric[];
  }

  /** The next application of the process, as in tests, can use the registry. */
  onApplicationShutdown(): void {
    for (const { name } of this.#metrics as unknown as { name: string }[])
      this.#registry?.removeSingleMetric(name);
  }
}

function loadPromClient(): typeof import('prom-client') {
  try {
    return require('prom-client') as typeof import('prom-client');
  } catch (error) {
    throw explainAbsent(error, 'prom-client', '`deliveries.metricsRegistry`');
  }
}
