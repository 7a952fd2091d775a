import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Metric, Registry } from 'prom-client';
import { loadPromClient, OwnMetrics } from '../../common/own-metrics';
import { within } from '../../common/within';
import { InvalidEventsOptionsError } from '../events.errors';
import { type CheckedEventsOptions, EVENTS_OPTIONS } from '../events.options';
import { type EventLagReport, EventLags } from './event-lags';
import { TurnMeter } from './turn-meter';

const PREFIX = 'tenancy_event';

/** Prometheus waits ten seconds for an answer. */
const MAX_WAIT_MS = 1_000;

/** Metrics of events in a registry of `prom-client`: of all instances together what waits, of this one its turns. */
@Injectable()
export class EventsMetrics implements OnModuleInit, OnApplicationShutdown {
  readonly #registry: Registry | undefined;
  #metrics: OwnMetrics | undefined;
  #reading: Promise<EventLagReport | undefined> | undefined;

  constructor(
    @Inject(EVENTS_OPTIONS) { metricsRegistry }: CheckedEventsOptions,
    private readonly lags: EventLags,
    private readonly meter: TurnMeter,
  ) {
    this.#registry = metricsRegistry;
  }

  /** @throws InvalidEventsOptionsError when the registry has metrics of these names */
  onModuleInit(): void {
    if (!this.#registry) return;
    this.#metrics ??= new OwnMetrics(this.#registry, this.#make());
    const message = this.#metrics.register();
    if (message !== undefined) throw new InvalidEventsOptionsError([{ field: 'metricsRegistry', message }]);
  }

  onApplicationShutdown(): void {
    this.#metrics?.remove();
  }

  #make(): Metric[] {
    const { Counter, Gauge } = loadPromClient('`metricsRegistry`');
    const common = { registers: [] };
    const { meter } = this;
    const read = () => this.#read();
    const unsealed = new Gauge({
      ...common,
      name: `${PREFIX}_unsealed_seconds`,
      help: 'How long the first event of the registry has waited for its place in the trail',
      async collect() {
        const found = await read();
        this.remove();
        if (found) this.set(found.unsealedMs / 1_000);
      },
    });
    const behind = new Gauge({
      ...common,
      name: `${PREFIX}_follower_behind_seconds`,
      help: 'Age of the oldest event that a follower has not handled and may have now',
      labelNames: ['follower'],
      async collect() {
        const found = await read();
        this.reset();
        for (const { name, behindMs } of found?.followers ?? [])
          this.set({ follower: name }, behindMs / 1_000);
      },
    });
    const tenants = new Gauge({
      ...common,
      name: `${PREFIX}_follower_tenants`,
      help: 'Tenants that a follower is behind with: waiting, failing, or kept until they are active',
      labelNames: ['follower', 'state'],
      async collect() {
        const found = await read();
        this.reset();
        for (const { name, waiting, failing, kept } of found?.followers ?? [])
          for (const [state, count] of Object.entries({ waiting, failing, kept }))
            this.set({ follower: name, state }, count);
      },
    });
    const turns = new Counter({
      ...common,
      name: `${PREFIX}_turns_total`,
      help: 'Turns of a tenant with a follower that have ended in this instance: done, failed',
      labelNames: ['follower', 'result'],
      collect() {
        this.reset();
        for (const [follower, counts] of meter.read())
          for (const [result, count] of Object.entries(counts)) this.inc({ follower, result }, count);
      },
    });
    return [unsealed, behind, tenants, turns] as Metric[];
  }

  /** All metrics are collected at once, and share one look. `undefined` while the registry is away: a scrape must not fail for it. */
  #read(): Promise<EventLagReport | undefined> {
    this.#reading ??= within(MAX_WAIT_MS, this.lags.read())
      .catch(() => undefined)
      .finally(() => (this.#reading = undefined));
    return this.#reading;
  }
}
