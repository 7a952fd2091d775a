import type { Tenant } from '../lib/registry/tenant';
import type { Bench, BenchEnvironment, Row } from './bench';
import { type DatabaseContents, openDatabase } from './bench-database';
import { FAIRNESS_VARIANTS, type FairnessVariant } from './fairness-variants';
import { fleetContents, makeFleet } from './fleet';
import { inRounds, medians, rounded, runFor, type Sample } from './measure';
import { seededRandom } from './random';

const TENANTS = 100;
const POOL_SIZE = 10;
const CALLERS = 4;
const FLOOD_CALLERS = 100;
const SEED = 20_260_101;

/** What the others wait for while one tenant floods the pool with slow statements. */
export const fairnessBench: Bench = {
  about: `${CALLERS} callers of ${TENANTS - 1} tenants, while ${FLOOD_CALLERS} of one more send slow statements to ${POOL_SIZE} connections`,

  contents: () => contentsOf(makeFleet(TENANTS)),

  async run(environment) {
    const { server, cleanUp } = environment;
    const fleet = makeFleet(TENANTS);
    const url = await openDatabase(server, contentsOf(fleet), cleanUp);
    return measure(environment, url, fleet);
  },
};

function contentsOf(fleet: readonly Tenant[]): DatabaseContents {
  return { ...fleetContents(fleet), name: 'fairness' };
}

interface Load {
  readonly variant: FairnessVariant;
  readonly isFlooded: boolean;
  readonly find: () => Promise<void>;
}

async function measure(
  { options, cleanUp, progress }: BenchEnvironment,
  url: string,
  [flooding, ...others]: readonly Tenant[],
) {
  const loads: Load[] = [];
  for (const open of FAIRNESS_VARIANTS) {
    const variant = await open(url, POOL_SIZE);
    cleanUp.add(() => variant.close());
    const find = randomFind(variant, others);
    await runFor(options.seconds / 2, CALLERS, find);
    for (const isFlooded of [false, true]) loads.push({ variant, isFlooded, find });
  }
  const samples = await inRounds(loads, options.rounds, async (load, round) => {
    const sample = await sampleOf(load, flooding, options.seconds);
    progress(`round ${round + 1}: ${nameOf(load)} p99 ${rounded(sample.p99Ms)} ms`);
    return sample;
  });
  const rows: Row[] = loads.map((load, i) => ({ variant: nameOf(load), ...medians(samples[i]) }));
  return { rows, ratios: ratiosOf(rows) };
}

async function sampleOf(
  { variant, isFlooded, find }: Load,
  flooding: Tenant,
  seconds: number,
): Promise<Sample> {
  if (!isFlooded) return runFor(seconds, CALLERS, find);
  // It begins before the others come, and outlasts them.
  const flood = runFor(seconds + 1, FLOOD_CALLERS, () => variant.beSlow(flooding));
  await variant.beSlow(flooding);
  const [sample] = await Promise.all([runFor(seconds, CALLERS, find), flood]);
  return sample;
}

function randomFind(variant: FairnessVariant, tenants: readonly Tenant[]): () => Promise<void> {
  const random = seededRandom(SEED);
  return () => variant.find(tenants[Math.floor(random() * tenants.length)]);
}

function nameOf({ variant, isFlooded }: Load): string {
  return `${variant.name}${isFlooded ? '-flooded' : ''}`;
}

function ratiosOf(rows: readonly Row[]): Record<string, number> {
  const p99 = (name: string) => rows.find(({ variant }) => variant === name)?.p99Ms ?? NaN;
  return {
    oursP99FloodedVsQuiet: rounded(p99('ours-flooded') / p99('ours')),
    oneQueueP99FloodedVsQuiet: rounded(p99('one-queue-flooded') / p99('one-queue')),
  };
}
