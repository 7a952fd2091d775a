import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ModuleRef } from '@nestjs/core';
import { Client } from 'pg';
import type { TenantResolver } from '../lib/index';
import { TenantResolution } from '../lib/resolution/tenant-resolution';
import type { Tenant } from '../lib/registry/tenant';
import { WrongAnswerError } from './bench';
import type { CleanUp } from './clean-up';
import { quantile } from './measure';
import { seededRandom } from './random';
import type { BenchRegistry } from './resolve-registry';
import { makeRequest, type ResolverCase, TENANT_HEADER } from './resolve-requests';

/** A type, not an interface, so that `medians` may look it through. */
export type ResolveSample = {
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

interface CachedSample extends ResolveSample {
  /** Statements that asked the registry for tenants: none, unless the machine is too busy to hear of changes in time. */
  readonly queries: number;
}

interface ColdSample extends ResolveSample {
  /** Statements that asked the registry for tenants, for each tenant that was not remembered. */
  readonly queriesPerTenant: number;
}

export interface ResolveVariant {
  readonly name: string;
  /** What its speed is divided by, and what the quotient is called. */
  readonly ratio?: { readonly name: string; readonly baseline: string };
  run(seconds: number): Promise<ResolveSample | CachedSample | ColdSample>;
}

export const BARE_MAP = 'bare header and Map';
export const BARE_QUERY = 'bare header and query';

/** A resolution of a remembered tenant takes little more than a reading of the clock: so many are timed together. */
const BATCH = 100;

/** Tenants that are met for the first time in a row: fewer than an instance may ask for at once. */
const COLD_TENANTS = 200;

const STAMPEDE = 64;

const SEED = 20_260_101;

/** No resolver here needs a provider. */
const NO_PROVIDERS = {} as ModuleRef;

function resolutionBy(resolver: TenantResolver, registry: BenchRegistry): TenantResolution {
  return new TenantResolution({ resolvers: [resolver] }, registry.newLookup(), NO_PROVIDERS);
}

type Answer = Pick<Tenant, 'id'> | undefined;

/** What an application without tenancy would write: the header, and a Map that never forgets. */
export function bareMap({ tenants }: BenchRegistry): ResolveVariant {
  const bySlug = new Map(tenants.map((tenant) => [tenant.slug, tenant]));
  const requests = tenants.map(({ slug }) => makeRequest('/orders?page=2', { [TENANT_HEADER]: slug }));
  const resolve = ({ headers }: IncomingMessage) => bySlug.get(headers[TENANT_HEADER] as string);
  return {
    name: BARE_MAP,
    run: (seconds) => runBatches(seconds, BARE_MAP, tenants, (index) => resolve(requests[index])),
  };
}

/** The same without the Map: one query over one connection for each request. */
export async function bareQuery(
  { tenants }: BenchRegistry,
  url: string,
  cleanUp: CleanUp,
): Promise<ResolveVariant> {
  const client = new Client({ connectionString: url });
  await client.connect();
  cleanUp.add(() => client.end());
  const requests = tenants.map(({ slug }) => makeRequest('/orders?page=2', { [TENANT_HEADER]: slug }));
  const resolve = async ({ headers }: IncomingMessage): Promise<Answer> => {
    const values = [headers[TENANT_HEADER]];
    const { rows } = await client.query<Tenant>('SELECT * FROM tenancy.tenants WHERE slug = $1', values);
    return rows[0];
  };
  return {
    name: BARE_QUERY,
    run: async (seconds) => {
      const begin = () => (index: number) => resolve(requests[index]);
      const { coldTenants, ...sample } = await runColdRounds(seconds, BARE_QUERY, tenants, begin);
      return sample;
    },
  };
}

/** Tenants that were met before. */
export async function cached(
  registry: BenchRegistry,
  { name, resolver, requestOf }: ResolverCase,
): Promise<ResolveVariant> {
  const { tenants } = registry;
  const variant = `${name}, cached`;
  const requests = await requestsOf(tenants, requestOf);
  const resolution = resolutionBy(resolver, registry);
  const resolve = (index: number) => resolution.resolve(resolution.requestOf(requests[index]));
  return {
    name: variant,
    ratio: { name: `cached${camelCased(name)}VsMap`, baseline: BARE_MAP },
    run: async (seconds) => {
      await Promise.all(tenants.map(async (_tenant, index) => resolve(index)));
      const before = registry.questions();
      const sample = await runBatches(seconds, variant, tenants, resolve);
      return { ...sample, queries: registry.questions() - before };
    },
  };
}

/** Tenants that are met for the first time, one after the other. */
export async function cold(registry: BenchRegistry, resolverCase: ResolverCase): Promise<ResolveVariant> {
  const { name, resolver, requestOf } = resolverCase;
  const { tenants } = registry;
  const variant = `${name}, cold`;
  const requests = await requestsOf(tenants, requestOf);
  return {
    name: variant,
    ratio: { name: `cold${camelCased(name)}VsQuery`, baseline: BARE_QUERY },
    run: (seconds) =>
      counted(registry, variant, () =>
        runColdRounds(seconds, variant, tenants, () => {
          const resolution = resolutionBy(resolver, registry);
          return (index) => resolution.resolve(resolution.requestOf(requests[index]));
        }),
      ),
  };
}

/** The same, each tenant by many callers at once. */
export async function stampede(
  registry: BenchRegistry,
  { name, resolver, requestOf }: ResolverCase,
): Promise<ResolveVariant> {
  const { tenants } = registry;
  const variant = `${name}, cold, ${STAMPEDE} callers`;
  const requests = await requestsOf(tenants, requestOf);
  return {
    name: variant,
    run: async (seconds) => {
      const sample = await counted(registry, variant, () =>
        runColdRounds(seconds, variant, tenants, () => {
          const resolution = resolutionBy(resolver, registry);
          const resolve = (index: number) => resolution.resolve(resolution.requestOf(requests[index]));
          return async (index) => {
            const answers = await Promise.all(Array.from({ length: STAMPEDE }, async () => resolve(index)));
            return answers.find((answer) => answer?.id !== tenants[index].id) ?? answers[0];
          };
        }),
      );
      return { ...sample, opsPerSecond: sample.opsPerSecond * STAMPEDE };
    },
  };
}

function requestsOf(
  tenants: readonly Tenant[],
  requestOf: ResolverCase['requestOf'],
): Promise<IncomingMessage[]> {
  return Promise.all(tenants.map(async (tenant) => requestOf(tenant)));
}

/** Adds how often the registry was asked. @throws when a tenant took more than one question, or none */
async function counted(
  registry: BenchRegistry,
  variant: string,
  run: () => Promise<ResolveSample & { readonly coldTenants: number }>,
): Promise<ColdSample> {
  const before = registry.questions();
  const { coldTenants, ...sample } = await run();
  const queries = registry.questions() - before;
  if (queries !== coldTenants) throw new WrongAnswerError(variant, { queries: coldTenants }, { queries });
  return { ...sample, queriesPerTenant: queries / coldTenants };
}

type Resolve = (index: number) => Answer | Promise<Answer>;

/**
 * Resolves random tenants until the time is up, and times them by the hundred. In between, outside of the time, the
 * loop has its turn: the change feed must be heard, or nothing stays remembered.
 */
async function runBatches(
  seconds: number,
  variant: string,
  tenants: readonly Tenant[],
  resolve: Resolve,
): Promise<ResolveSample> {
  const random = seededRandom(SEED);
  const latencies: number[] = [];
  let elapsedMs = 0;
  while (elapsedMs < seconds * 1000) {
    const indices = Array.from({ length: BATCH }, () => Math.floor(random() * tenants.length));
    const before = performance.now();
    for (const index of indices) {
      const answer = resolve(index);
      check(variant, tenants[index], answer instanceof Promise ? await answer : answer);
    }
    const batchMs = performance.now() - before;
    elapsedMs += batchMs;
    latencies.push(batchMs / BATCH);
    await nextTurn();
  }
  return summary(latencies, latencies.length * BATCH, elapsedMs);
}

/** The same for tenants that nobody remembers: `begin` gives a resolution that has met none of them. */
async function runColdRounds(
  seconds: number,
  variant: string,
  tenants: readonly Tenant[],
  begin: () => Resolve,
): Promise<ResolveSample & { readonly coldTenants: number }> {
  const latencies: number[] = [];
  const start = performance.now();
  for (let round = 0; performance.now() < start + seconds * 1000; round++) {
    const resolve = begin();
    for (let i = 0; i < COLD_TENANTS; i++) {
      const index = (round * COLD_TENANTS + i) % tenants.length;
      const before = performance.now();
      check(variant, tenants[index], await resolve(index));
      latencies.push(performance.now() - before);
    }
  }
  return {
    ...summary(latencies, latencies.length, performance.now() - start),
    coldTenants: latencies.length,
  };
}

function check(variant: string, { id }: Tenant, answer: Answer): void {
  if (answer?.id !== id) throw new WrongAnswerError(variant, id, answer?.id);
}

function summary(latencies: number[], operations: number, elapsedMs: number): ResolveSample {
  latencies.sort((one, other) => one - other);
  return {
    opsPerSecond: (operations / elapsedMs) * 1000,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}

/** `jwt RS256 verified` becomes `JwtRS256Verified`. */
function camelCased(name: string): string {
  return name.replace(/(?:^| )(.)/g, (_match, letter: string) => letter.toUpperCase());
}
