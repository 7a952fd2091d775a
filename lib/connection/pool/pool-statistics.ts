import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Doubt } from './lease';
import type { TenantLoad } from './pool-use';
import { TENANT_DATA_SOURCE } from '../typeorm/tenant-data-source';
import type { ServerPool } from './server-pool';
import type { TenantPool } from './tenant-pool';

/** The state of the tenants' pool, and counts since the start. Times are milliseconds. */
export interface PoolReport {
  /** How many connections there may be. */
  readonly size: number;
  /** How many are open now, how many of them are checked out, and how many callers wait for one. */
  readonly open: number;
  readonly active: number;
  readonly waiting: number;
  /** How often a connection was checked out, and how long statements took in all. */
  readonly leases: number;
  readonly queryMs: number;
  /** How often a caller had to wait for its turn, and how long in all. */
  readonly waits: number;
  readonly waitedMs: number;
  /**
   * How often a caller got no connection: too many requests of its tenant waited already, or the wait took too long.
   */
  readonly refused: number;
  /** How many leases took longer than `leaseWarningMs`. */
  readonly longLeases: number;
  /** How many connections were replaced because of `maxTenantsPerConnection`. */
  readonly recycled: number;
  /** How many connections were destroyed instead of used again, by cause. */
  readonly destroyed: Readonly<Partial<Record<Doubt, number>>>;
  /** The 10,000 tenants that used connections last. */
  readonly tenants: readonly TenantLoad[];
}

/** Reads the state of the pool; with replicas or further servers, of all their pools together. */
@Injectable()
export class PoolStatistics {
  constructor(@InjectDataSource(TENANT_DATA_SOURCE) private readonly dataSource: DataSource) {}

  read(): PoolReport {
    return this.#reportOf(this.#pools);
  }

  /** The same of each server by itself, by its name. Its replicas are counted with it. */
  readByServer(): ReadonlyMap<string, PoolReport> {
    const names = [...this.#all.master.servers.keys()];
    return new Map(names.map((name) => [name, this.#reportOf(this.#poolsOf(name))]));
  }

  #reportOf(pools: readonly ServerPool[]): PoolReport {
    const sum = (of: (pool: ServerPool) => number): number =>
      pools.reduce((total, pool) => total + of(pool), 0);
    return {
      size: sum(({ sessions }) => sessions.max),
      open: sum(({ sessions }) => sessions.open),
      active: sum(({ leases }) => leases.size),
      waiting: sum(({ waiting }) => waiting),
      leases: sum(({ counters }) => counters.leases),
      queryMs: sum(({ counters }) => counters.queryMs),
      waits: sum(({ counters }) => counters.waits),
      waitedMs: sum(({ counters }) => counters.waitedMs),
      refused: sum(({ counters }) => counters.refused),
      longLeases: sum(({ leases }) => leases.longLeases),
      recycled: sum(({ counters }) => counters.recycled),
      destroyed: addUp(pools.map(({ counters }) => Object.fromEntries(counters.destroyed))),
      tenants: pools.length === 1 ? pools[0].counters.tenants : this.#tenantsOf(pools),
    };
  }

  /** How one tenant has used connections; `undefined` when it has used none, or none for a long time. */
  ofTenant(tenantId: string): TenantLoad | undefined {
    const loads = this.#pools.map(({ counters }) => counters.loadOf(tenantId));
    return loads.filter((load) => load !== undefined).reduce<TenantLoad | undefined>(joined, undefined);
  }

  #tenantsOf(pools: readonly ServerPool[]): TenantLoad[] {
    const loads = new Map<string, TenantLoad>();
    for (const load of pools.flatMap(({ counters }) => counters.tenants))
      loads.set(load.tenantId, joined(loads.get(load.tenantId), load));
    return [...loads.values()];
  }

  get #pools(): ServerPool[] {
    return [...this.#all.master.servers.keys()].flatMap((name) => this.#poolsOf(name));
  }

  #poolsOf(name: string): ServerPool[] {
    const { master, slaves } = this.#all;
    const pools = [master, ...slaves].map(({ servers }) => servers?.get(name));
    return [...pools, ...(master.replicas.get(name)?.pools ?? [])].filter((pool) => pool !== undefined);
  }

  get #all(): { readonly master: TenantPool; readonly slaves: readonly Partial<TenantPool>[] } {
    return this.dataSource.driver as unknown as { master: TenantPool; slaves: Partial<TenantPool>[] };
  }
}

function joined(one: TenantLoad | undefined, other: TenantLoad): TenantLoad {
  const { tenantId, ...numbers } = other;
  return { tenantId, ...(one ? addUp([one, numbers]) : numbers) } as TenantLoad;
}

function addUp<Name extends string>(
  records: readonly Readonly<Partial<Record<Name, unknown>>>[],
): Partial<Record<Name, number>> {
  const total: Record<string, number> = {};
  for (const [name, value] of records.flatMap((record) => Object.entries(record)))
    if (typeof value === 'number') total[name] = (total[name] ?? 0) + value;
  return total as Partial<Record<Name, number>>;
}
