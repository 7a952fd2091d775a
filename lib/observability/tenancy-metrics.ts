import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { Counter, Gauge, Metric } from 'prom-client';
import { OwnMetrics } from '../common/own-metrics';
import type { PoolReport, PoolStatistics } from '../connection/pool/pool-statistics';
import type { TenantLookup } from '../registry/cache/tenant-lookup';
import type { Tenant } from '../registry/tenant';
import { InvalidObservabilityOptionsError } from './observability.errors';
import type { CheckedMetricsOptions } from './observability.options';
import type { SpareCount, SpareCounts, SpareState } from '../provisioning/spares/spare-state';
import { TenantLabels } from './tenant-labels';
import { within } from '../common/within';
import { WorkMetrics, type WorkSources } from './work-metrics';

type PromClient = typeof import('prom-client');
type Load = PoolReport['tenants'][number];

/** Counters of each tenant: name, help, field of its load, and the divisor that turns milliseconds into seconds. */
const LOADS = [
  ['leases_total', 'Connections checked out', 'leases', 1],
  ['query_seconds_total', 'Duration of statements, with the network’s', 'queryMs', 1_000],
  ['waits_total', 'Waits for a connection', 'waits', 1],
  ['wait_seconds_total', 'Duration of these waits', 'waitedMs', 1_000],
  [
    'refused_leases_total',
    'Checkouts that were refused: too many waited already, or the wait was too long',
    'refused',
    1,
  ],
] as const;

/** Prometheus waits ten seconds for an answer. */
const MAX_WAIT_MS = 1_000;

const STATUSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/**
 * Metrics of requests, connections, look-ups, spares, moves and timers. The number of labels does not grow with the number of tenants.
 */
export class TenancyMetrics implements OnModuleInit, OnApplicationShutdown {
  readonly #own: OwnMetrics;
  readonly #labels: TenantLabels;
  readonly #requests: Counter<'tenant' | 'status'>;
  readonly #seconds: Counter<'tenant'>;
  readonly #loads: readonly Counter<'tenant'>[];
  /** The part of each tenant's load that has already been counted. */
  #counted = new Map<string, Load>();
  #update?: Promise<void>;
  readonly #gauges: Readonly<
    Record<'connections' | 'waiting' | 'cached' | 'spares' | 'spareDatabases', Gauge>
  >;
  readonly #totals: Readonly<Record<'destroyed' | 'recycled', Counter>>;
  readonly #work: WorkMetrics;

  constructor(
    { Counter, Gauge }: Pick<PromClient, 'Counter' | 'Gauge'>,
    { registry, prefix, maxTenants }: CheckedMetricsOptions,
    private readonly pool: Pick<PoolStatistics, 'read' | 'readByServer'>,
    private readonly lookup: Pick<TenantLookup, 'find' | 'size'>,
    private readonly spares: Pick<SpareState, 'read'>,
    private readonly servers: readonly string[],
    work: WorkSources,
  ) {
    this.#labels = new TenantLabels(maxTenants, (claim) => lookup.find(claim));
    // The first metric that is collected updates all of them.
    const collect = () => this.#collect();
    const own: Metric[] = [];
    const noted = <T extends Metric>(metric: T): T => {
      own.push(metric);
      return metric;
    };
    const counter = <Label extends string>(key: string, help: string, ...labelNames: Label[]) =>
      noted(new Counter({ name: prefix + key, help, labelNames, registers: [], collect }));
    const gauge = (key: string, help: string, ...labelNames: string[]) =>
      noted(new Gauge({ name: prefix + key, help, labelNames, registers: [], collect }));
    // A single server needs no name, and a new label would make new series of the old ones.
    const byServer = servers.length > 1 ? ['server'] : [];
    this.#requests = counter('requests_total', 'Answered HTTP requests', 'tenant', 'status');
    this.#seconds = counter('request_seconds_total', 'Time until these requests were answered', 'tenant');
    this.#loads = LOADS.map(([name, help]) => counter(name, help, 'tenant'));
    this.#totals = {
      destroyed: counter(
        'destroyed_connections_total',
        'Connections destroyed instead of used again',
        'cause',
        ...byServer,
      ),
      recycled: counter(
        'recycled_connections_total',
        'Connections replaced because they had served enough tenants',
        ...byServer,
      ),
    };
    this.#gauges = {
      connections: gauge(
        'pool_connections',
        'Connections of the tenants’ pool: size, open, active',
        'state',
        ...byServer,
      ),
      waiting: gauge('pool_waiting', 'Requests that wait for a connection', ...byServer),
      cached: gauge('cached_names', 'Names in the cache of look-ups: of tenants, absent, waiting', 'kind'),
      spares: gauge('spares', 'Spare schemas: wanted, ready, stale', 'state', ...byServer),
      spareDatabases: gauge('spare_databases', 'Spare databases: wanted, ready, stale', 'state', ...byServer),
    };
    this.#work = new WorkMetrics({ counter, gauge }, work);
    this.#own = new OwnMetrics(registry, own);
  }

  /** Registers the metrics. The constructor would be too early: `tenancy doctor` makes an application that it never starts. */
  onModuleInit(): void {
    const message = this.#own.register();
    if (message !== undefined)
      throw new InvalidObservabilityOptionsError([{ field: 'metrics.registry', message }]);
  }

  onApplicationShutdown(): void {
    this.#work.stop();
    this.#own.remove();
  }

  /** Counts a request that was answered. */
  answered(tenant: Pick<Tenant, 'id' | 'slug'> | undefined, statusCode: number, seconds: number): void {
    const label = this.#labels.note(tenant);
    this.#requests.inc({ tenant: label, status: STATUSES[Math.trunc(statusCode / 100) - 1] ?? '5xx' });
    this.#seconds.inc({ tenant: label }, seconds);
  }

  /** All metrics are collected at the same time, so one update is shared by all. */
  #collect(): Promise<void> {
    this.#update ??= this.#bringUpToDate().finally(() => (this.#update = undefined));
    return this.#update;
  }

  async #bringUpToDate(): Promise<void> {
    this.#totals.destroyed.reset();
    this.#totals.recycled.reset();
    for (const [server, report] of this.pool.readByServer()) this.#showPool(report, this.#labelOf(server));
    this.#showCache();
    const loads = this.#countLoads(this.pool.read().tenants);
    await Promise.all([loads, this.#showSpares(), this.#work.show()]);
    for (const label of this.#labels.rank()) this.#drop(label);
  }

  /** Which server it is, where there are several. */
  #labelOf(server: string): { server?: string } {
    return this.servers.length > 1 ? { server } : {};
  }

  #showPool(
    { size, open, active, waiting, destroyed, recycled }: PoolReport,
    label: { server?: string },
  ): void {
    const { connections, waiting: waitingGauge } = this.#gauges;
    for (const [state, count] of Object.entries({ size, open, active }))
      connections.set({ state, ...label }, count);
    waitingGauge.set(label, waiting);
    for (const [cause, count] of Object.entries(destroyed))
      this.#totals.destroyed.inc({ cause, ...label }, count);
    this.#totals.recycled.inc(label, recycled);
  }

  #showCache(): void {
    const { cached } = this.#gauges;
    const { tenants, absent, waiting: asked } = this.lookup.size;
    for (const [kind, count] of Object.entries({ tenants, absent, waiting: asked }))
      cached.set({ kind }, count);
  }

  /** While the counts cannot be read, the gauge has no value, because a scrape must not fail for them. */
  async #showSpares(): Promise<void> {
    const read = (server: string) => within(MAX_WAIT_MS, this.spares.read(server)).catch(() => undefined);
    const found = await Promise.all(
      this.servers.map(async (server) => [server, await read(server)] as const),
    );
    this.#gauges.spares.reset();
    this.#gauges.spareDatabases.reset();
    for (const [server, counts] of found) {
      const { databases, ...schemas }: Partial<SpareCounts> = counts ?? {};
      this.#showCounts(this.#gauges.spares, schemas, server);
      this.#showCounts(this.#gauges.spareDatabases, databases, server);
    }
  }

  #showCounts(gauge: Gauge, counts: Partial<SpareCount> | undefined, server: string): void {
    for (const [state, count] of Object.entries<number>({ ...counts }))
      gauge.set({ state, ...this.#labelOf(server) }, count);
  }

  /**
   * Counts only what was added since the last time, so that the sum of `other` does not fall when a tenant gets or
   * loses a label of its own.
   */
  async #countLoads(loads: readonly Load[]): Promise<void> {
    const before = this.#counted;
    this.#counted = new Map(loads.map((load) => [load.tenantId, load]));
    const increases = loads.map((load) => increaseOf(load, before.get(load.tenantId))).filter(isWorth);
    await this.#labels.noteLoads(increases);
    for (const increase of increases) {
      const tenant = this.#labels.labelOf(increase.tenantId);
      LOADS.forEach(([, , field, unit], index) => this.#loads[index].inc({ tenant }, increase[field] / unit));
    }
  }

  /** Removes the series of a tenant. If it gets a label again, they begin at 0, as after a restart. */
  #drop(tenant: string): void {
    for (const metric of [this.#seconds, ...this.#loads]) metric.remove({ tenant });
    for (const status of STATUSES) this.#requests.remove({ tenant, status });
  }
}

/** If the pool dropped a tenant's load in the meantime, it has begun at 0 again. */
function increaseOf(load: Load, before: Load | undefined): Load {
  if (!before || before.leases > load.leases) return load;
  const increases = LOADS.map(([, , field]) => [field, Math.max(0, load[field] - before[field])]);
  return { ...load, ...(Object.fromEntries(increases) as Partial<Load>) };
}

function isWorth(load: Load): boolean {
  return LOADS.some(([, , field]) => load[field] > 0);
}
