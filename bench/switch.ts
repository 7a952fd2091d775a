import type { Tenant } from '../lib/registry/tenant';
import { type Bench, type BenchEnvironment, type Row, WrongAnswerError } from './bench';
import { openDatabase } from './bench-database';
import { delayed } from './delay-proxy';
import { fleetContents, makeFleet, ROWS_PER_TENANT } from './fleet';
import { inRounds, medians, rounded, runFor } from './measure';
import { seededRandom } from './random';
import { SWITCH_VARIANTS, type SwitchVariant } from './switch-variants';

const TENANTS = 500;
const CALLERS = 64;
const POOL_SIZE = 10;
const SEED = 20_260_101;

/** So that each connection has met most tenants, and the compiler the hot paths, before the first round. */
const WARM_UP_SECONDS = 2.5;

const RATIOS = {
  vsSingleTenant: 'single-tenant',
  vsQualified: 'qualified',
  vsAwaitedSet: 'awaited-set',
  vsTransaction: 'transaction',
  vsDataSourcePerTenant: 'datasource-per-tenant',
} as const;

/** What it costs to serve many tenants from one pool, by the ways there are. */
export const switchBench: Bench = {
  about: `${CALLERS} callers find rows of ${TENANTS} tenants by primary key over ${POOL_SIZE} connections`,

  contents: () => fleetContents(makeFleet(TENANTS)),

  async run(environment) {
    const { options, server, cleanUp, progress } = environment;
    const fleet = makeFleet(TENANTS);
    const contents = fleetContents(fleet);
    progress(`building ${contents.description}, unless it is there`);
    const url = await delayed(await openDatabase(server, contents, cleanUp), options.rttMs, cleanUp);
    return measure(environment, await openVariants(environment, url, fleet));
  },
};

async function openVariants(
  { cleanUp, progress, options }: BenchEnvironment,
  url: string,
  fleet: readonly Tenant[],
): Promise<SwitchVariant[]> {
  const variants: SwitchVariant[] = [];
  for (const open of SWITCH_VARIANTS) {
    const variant = await open({ url, fleet, poolSize: POOL_SIZE });
    cleanUp.add(() => variant.close());
    progress(`warming up ${variant.name}`);
    await runFor(Math.min(WARM_UP_SECONDS, 2 * options.seconds), CALLERS, checkedFind(variant));
    variants.push(variant);
  }
  return variants;
}

async function measure({ options, progress }: BenchEnvironment, variants: readonly SwitchVariant[]) {
  const operations = new Map(variants.map((variant) => [variant, checkedFind(variant)]));
  const samples = await inRounds(variants, options.rounds, async (variant, round) => {
    const sample = await runFor(options.seconds, CALLERS, operations.get(variant)!);
    progress(`round ${round + 1}: ${variant.name} ${rounded(sample.opsPerSecond)} a second`);
    return sample;
  });
  const rows: Row[] = variants.map(({ name, tenants, connections }, i) => ({
    variant: name,
    ...medians(samples[i]),
    tenants: tenants.length,
    connections,
  }));
  return { rows, ratios: ratiosOf(rows) };
}

/** One find of a random row of a random tenant, from a sequence that is the same for every variant. */
function checkedFind({ name, tenants, find }: SwitchVariant): () => Promise<void> {
  const random = seededRandom(SEED);
  return async () => {
    const tenant = tenants[Math.floor(random() * tenants.length)];
    const id = 1 + Math.floor(random() * ROWS_PER_TENANT);
    const found = await find(tenant, id);
    if (found.length !== 1 || found[0].id !== id || found[0].owner !== tenant.slug) {
      throw new WrongAnswerError(name, { id, owner: tenant.slug }, found);
    }
  };
}

function ratiosOf(rows: readonly Row[]): Record<string, number> {
  const opsPerSecond = (name: string) => rows.find(({ variant }) => variant === name)?.opsPerSecond ?? NaN;
  const ratio = (one: string, other: string) => rounded(opsPerSecond(one) / opsPerSecond(other));
  return {
    ...Object.fromEntries(Object.entries(RATIOS).map(([name, other]) => [name, ratio('ours', other)])),
    rolesVsWithoutRoles: ratio('ours-with-roles', 'ours'),
  };
}
