import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import type { TenantCache } from '../lib/cache/tenant-cache';
import { TenantContext } from '../lib/context/tenant-context';
import type { TenantStore } from '../lib/registry/store/tenant.store';
import type { Tenant } from '../lib/registry/tenant';
import { cacheInstance } from '../test/support/cache-instances';
import { type Bench, type BenchEnvironment, WrongAnswerError } from './bench';
import { makeFleet } from './fleet';
import { inRounds, median, medians, rounded, runFor } from './measure';

const TENANTS = 100;
const KEYS = 100;
/** As many uses make one turn, since the clock costs as much as one of them. */
const USES = 1_000;
const CLEARED_KEYS = 1_000_000;
const TTL_MS = 3_600_000;
const CLEARS = 20;

interface CacheVariant {
  readonly name: string;
  get(tenant: Tenant, index: number): Promise<unknown>;
  set(tenant: Tenant, index: number): Promise<unknown>;
}

const NAMES = Array.from({ length: KEYS }, (_, index) => `order ${index}`);

/** Values in the process by tenant, beside the cache manager with tenants' keys; and how long it takes to clear one tenant. */
export const cacheBench: Bench = {
  about: `values of ${TENANTS} tenants in the process, beside plain cache-manager; and one cleared beside ${CLEARED_KEYS} keys`,

  async run(environment) {
    const context = new TenantContext({} as TenantStore);
    const fleet = makeFleet(TENANTS);
    const variants = [plainCache(), ourCache(context)];
    for (const { set } of variants)
      for (const tenant of fleet)
        for (const index of NAMES.keys()) await context.run(tenant, () => set(tenant, index));
    const { progress } = environment;
    const gets = await uses(environment, variants, context, fleet, 'get');
    const sets = await uses(environment, variants, context, fleet, 'set');
    progress(`adding ${CLEARED_KEYS} keys`);
    const clearOneMs = await clearing(context, fleet);
    return {
      rows: [...gets.rows, ...sets.rows.map((row) => ({ ...row, variant: `${row.variant}-set` }))],
      ratios: { vsPlainCache: gets.ratio, setVsPlainCache: sets.ratio, clearOneMs },
    };
  },
};

/** A cache manager, whose keys name their tenant. They are put together beforehand, as nobody would. */
function plainCache(): CacheVariant {
  const cache = createCache({ stores: [new Keyv()], ttl: TTL_MS });
  const keys = new Map<Tenant, string[]>();
  const keyOf = (tenant: Tenant, index: number): string => {
    const known = keys.get(tenant) ?? NAMES.map((name) => `${tenant.schemaName}:${name}`);
    keys.set(tenant, known);
    return known[index];
  };
  return {
    name: 'plain',
    get: (tenant, index) => cache.get(keyOf(tenant, index)),
    set: (tenant, index) => cache.set(keyOf(tenant, index), tenant.slug, TTL_MS),
  };
}

function ourCache(context: TenantContext): CacheVariant {
  const cache = cacheOf(context);
  return {
    name: 'ours',
    get: (_tenant, index) => cache.get(NAMES[index]),
    set: (tenant, index) => cache.set(NAMES[index], tenant.slug, TTL_MS),
  };
}

function cacheOf(context: TenantContext): TenantCache {
  return cacheInstance(context, createCache({ stores: [new Keyv()] }), { ttlMs: TTL_MS });
}

/** Of one tenant after another, each in its context, in which a request would have been anyway. */
async function uses(
  { options, progress }: BenchEnvironment,
  variants: readonly CacheVariant[],
  context: TenantContext,
  fleet: readonly Tenant[],
  use: 'get' | 'set',
) {
  let turn = 0;
  const samples = await inRounds(variants, options.rounds, async (variant, round) => {
    const sample = await runFor(options.seconds, 1, () => {
      const tenant = fleet[(turn += 1) % fleet.length];
      return context.run(tenant, async () => {
        for (let count = 0; count < USES; count++) {
          const value = await variant[use](tenant, count % KEYS);
          if (use === 'get' && value !== tenant.slug)
            throw new WrongAnswerError(variant.name, tenant.slug, value);
        }
      });
    });
    const perSecond = sample.opsPerSecond * USES;
    progress(`round ${round + 1}: ${variant.name} ${rounded(perSecond)} a second`);
    const each = (value: number) => value / USES;
    return {
      opsPerSecond: perSecond,
      p50Ms: each(sample.p50Ms),
      p99Ms: each(sample.p99Ms),
      clientCpuMicros: each(sample.clientCpuMicros),
    };
  });
  const [plain, ours] = samples;
  const rows = variants.map(({ name }, i) => ({ variant: name, ...medians(samples[i]) }));
  // By CPU time, which depends least on what else a machine does.
  const ratio = rounded(median(ours.map((each, i) => plain[i].clientCpuMicros / each.clientCpuMicros)));
  return { rows, ratio };
}

async function clearing(context: TenantContext, fleet: readonly Tenant[]): Promise<number> {
  const cache = cacheOf(context);
  const [cleared, ...others] = fleet;
  const perTenant = Math.ceil(CLEARED_KEYS / others.length);
  for (const tenant of others) {
    const entries = Array.from({ length: perTenant }, (_, index) => ({ key: `key ${index}`, value: index }));
    await context.run(tenant, () => cache.mset(entries));
  }
  const times: number[] = [];
  for (let count = 0; count < CLEARS; count++) {
    await context.run(cleared, () => cache.set('key', 'of the cleared one'));
    const start = performance.now();
    await cache.clear(cleared);
    times.push(performance.now() - start);
    const left = await context.run(cleared, () => cache.get('key'));
    if (left !== undefined) throw new WrongAnswerError('ours', undefined, left);
  }
  return rounded(median(times));
}
