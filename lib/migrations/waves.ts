import { anything, listOf } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';

/** How a run spreads: first a few, then more, then all that are left. */
export class WaveOptions {
  /** Slugs of the tenants that go first, or how many of the oldest on each server. Default none. */
  @Option(anything<readonly string[] | number>())
  readonly canary?: readonly string[] | number;

  /** What part of each server's tenants is done after each wave, in ascending percents from 1 to 99. Default none: all at once. */
  @Option(listOf<number>('give a list of numbers', (each) => typeof each === 'number'))
  readonly percents?: readonly number[];
}

/** One part of a run. It spans all servers: what goes wrong on one alone is seen before the others are far ahead. */
export interface Wave {
  readonly name: string;
  /** How many tenants of a server are done after it, counted from the beginning of the run. */
  upTo(server: string): number;
  /** If given, only these tenants. */
  readonly slugs?: readonly string[];
}

/**
 * The waves of a run over so many tenants of each server. The last one takes all that are left, even if more were added.
 */
export function planWaves(
  sizes: ReadonlyMap<string, number>,
  { canary = 0, percents = [] }: WaveOptions,
): Wave[] {
  return [
    ...planCanary(canary),
    ...percents.map((percent) => ({
      name: `${percent} %`,
      upTo: (server: string) => Math.ceil(((sizes.get(server) ?? 0) * percent) / 100),
    })),
    { name: 'all', upTo: () => Infinity },
  ];
}

function planCanary(canary: readonly string[] | number): Wave[] {
  const [upTo, slugs] = typeof canary === 'number' ? [canary] : [canary.length, canary];
  return upTo === 0 ? [] : [{ name: 'canary', upTo: () => upTo, slugs }];
}

/** @throws RangeError naming the option that is out of bounds */
export function checkWaves({ canary = 0, percents = [] }: WaveOptions): void {
  if (typeof canary === 'number' && (!Number.isInteger(canary) || canary < 0)) {
    throw new RangeError(`canary must be a list of slugs or an integer from 0, got ${canary}.`);
  }
  if (
    typeof canary !== 'number' &&
    !(Array.isArray(canary) && canary.every((slug) => typeof slug === 'string'))
  ) {
    throw new RangeError(
      `canary must be a list of slugs or an integer from 0, got ${JSON.stringify(canary)}.`,
    );
  }
  const ascends = percents.every((percent, i) => i === 0 || percent > percents[i - 1]);
  if (!ascends || !percents.every((percent) => percent >= 1 && percent <= 99)) {
    throw new RangeError(`percents must ascend from 1 to 99, got ${percents.join(', ')}.`);
  }
}
