import type { Tenant } from '../lib/registry/tenant';
import type { Bench, BenchEnvironment, Row } from './bench';
import { openDatabase } from './bench-database';
import { makeFleet } from './fleet';
import { inRounds, medians, rounded, runFor } from './measure';
import { memoryContents, TABLES_PER_TENANT } from './memory-fleet';
import { MEMORY_SETTINGS, type MemoryVariant, openVariant } from './memory-variants';
import { seededRandom, zipf } from './random';

const TENANTS = 1_000;
const POOL_SIZE = 4;
/** Fewer than connections, so that there is a choice between idle ones. */
const CALLERS = 2;
const SEED = 20_260_101;

/** What those that begin afresh have done before the first round: the same sequence of tenants for each. */
const FIRST_OPERATIONS = 4_000;

/** Between two looks at the backends' memory, in tenants. */
const LOOK_EVERY = 50;

/** What backends remember of the tenants they have met, and what it costs to have them forget. */
export const memoryBench: Bench = {
  about: `memory of ${POOL_SIZE} backends that serve ${TENANTS} tenants of ${TABLES_PER_TENANT} tables, with and without recycling`,

  contents: () => memoryContents(makeFleet(TENANTS)),

  async run(environment) {
    const { server, cleanUp, progress } = environment;
    const fleet = makeFleet(TENANTS);
    const contents = memoryContents(fleet);
    progress(`building ${contents.description}, unless it is there`);
    return measure(environment, await openDatabase(server, contents, cleanUp), fleet);
  },
};

async function measure(
  { options, cleanUp, progress }: BenchEnvironment,
  url: string,
  fleet: readonly Tenant[],
) {
  const peaks = new Map<MemoryVariant, number>();
  const look = async (variant: MemoryVariant) =>
    peaks.set(variant, Math.max(peaks.get(variant) ?? 0, ...(await variant.memory())));
  const first = new Map<MemoryVariant, { meetings: number; totalMb: number }>();
  const variants: MemoryVariant[] = [];
  for (const setting of MEMORY_SETTINGS) {
    const variant = await openVariant(setting, url, POOL_SIZE);
    cleanUp.add(() => variant.close());
    variants.push(variant);
    await look(variant);
    if (variant.isToured) await tour(variant, fleet, look);
    else await runTimes(FIRST_OPERATIONS, zipfLoad(variant, fleet));
    await look(variant);
    const totalMb = (await variant.memory()).reduce((sum, mb) => sum + mb);
    first.set(variant, { meetings: variant.meetings(), totalMb: rounded(totalMb) });
    progress(`${variant.name}: up to ${rounded(peaks.get(variant)!)} MB a backend`);
  }
  const loads = new Map(variants.map((variant) => [variant, zipfLoad(variant, fleet)]));
  const samples = await inRounds(variants, options.rounds, async (variant, round) => {
    const sample = await runFor(options.seconds, CALLERS, loads.get(variant)!);
    await look(variant);
    progress(`round ${round + 1}: ${variant.name} ${rounded(sample.opsPerSecond)} a second`);
    return sample;
  });
  const rows: Row[] = variants.map((variant, i) => ({
    variant: variant.name,
    ...medians(samples[i]),
    memoryMb: rounded(peaks.get(variant)!),
    ...first.get(variant)!,
    recycled: variant.pool.counters.recycled,
  }));
  return { rows, ratios: ratiosOf(rows) };
}

async function runTimes(count: number, operation: () => Promise<void>): Promise<void> {
  let left = count;
  const caller = async () => {
    while (left-- > 0) await operation();
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

/** Every connection meets every tenant: as many statements at once as there are connections. */
async function tour(
  variant: MemoryVariant,
  fleet: readonly Tenant[],
  look: (variant: MemoryVariant) => Promise<unknown>,
): Promise<void> {
  for (const [i, tenant] of fleet.entries()) {
    await Promise.all(Array.from({ length: POOL_SIZE }, () => variant.visit(tenant)));
    if ((i + 1) % LOOK_EVERY === 0) await look(variant);
  }
}

/** Some tenants are asked for often, and many rarely. */
function zipfLoad(variant: MemoryVariant, fleet: readonly Tenant[]): () => Promise<void> {
  const rank = zipf(seededRandom(SEED), fleet.length);
  return () => variant.visit(fleet[rank()]);
}

function ratiosOf(rows: readonly Row[]): Record<string, number> {
  type Column = 'opsPerSecond' | 'memoryMb' | 'totalMb' | 'meetings';
  const of = (variant: string, column: Column) =>
    Number(rows.find((row) => row.variant === variant)?.[column]);
  const ratio = (one: string, other: string, column: Column) => rounded(of(one, column) / of(other, column));
  return {
    memoryAfter500: ratio('after-500', 'never', 'memoryMb'),
    memoryAfter200: ratio('after-200', 'never', 'memoryMb'),
    memoryAfter100: ratio('after-100', 'never', 'memoryMb'),
    speedAfter500: ratio('after-500', 'never', 'opsPerSecond'),
    speedAfter200: ratio('after-200', 'never', 'opsPerSecond'),
    speedAfter100: ratio('after-100', 'never', 'opsPerSecond'),
    affineMemory: ratio('affine', 'lifo', 'totalMb'),
    affineMeetings: ratio('affine', 'lifo', 'meetings'),
    affineSpeed: ratio('affine', 'lifo', 'opsPerSecond'),
  };
}
