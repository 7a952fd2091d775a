import { type BenchEnvironment, type Row, WrongAnswerError } from './bench';
import { ROWS_PER_TENANT } from './fleet';
import { inRounds, medians, rounded, runFor, type Sample } from './measure';
import { seededRandom } from './random';
import type { SwitchVariant } from './switch-variants';

export const TENANTS = 500;
export const CALLERS = 64;
export const POOL_SIZE = 10;
const SEED = 20_260_101;

/** So that each connection has met most tenants, and the compiler the hot paths, before the first round. */
const WARM_UP_SECONDS = 2.5;

export async function warmUp(
  { progress, options }: BenchEnvironment,
  variant: SwitchVariant,
): Promise<SwitchVariant> {
  progress(`warming up ${variant.name}`);
  await runFor(Math.min(WARM_UP_SECONDS, 2 * options.seconds), CALLERS, checkedFind(variant));
  return variant;
}

/** Many callers find rows by each variant in turn. */
export async function findInRounds(
  { options, progress }: BenchEnvironment,
  variants: readonly SwitchVariant[],
): Promise<Row[]> {
  const operations = new Map(variants.map((variant) => [variant, checkedFind(variant)]));
  const samples: Sample[][] = await inRounds(variants, options.rounds, async (variant, round) => {
    const sample = await runFor(options.seconds, CALLERS, operations.get(variant)!);
    progress(`round ${round + 1}: ${variant.name} ${rounded(sample.opsPerSecond)} a second`);
    return sample;
  });
  return variants.map(({ name, tenants, connections }, i) => ({
    variant: name,
    ...medians(samples[i]),
    tenants: tenants.length,
    connections,
  }));
}

/** The operations a second of one variant over those of another. */
export function ratioOf(rows: readonly Row[], one: string, other: string): number {
  const opsPerSecond = (name: string) => rows.find(({ variant }) => variant === name)?.opsPerSecond ?? NaN;
  return rounded(opsPerSecond(one) / opsPerSecond(other));
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
