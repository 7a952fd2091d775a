import { anything, listOf } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';

/** How a run spreads: first a few, then more, then all that are left. */
export class WaveOptions {
  /** Slugs of the tenants that go first, or how many of the oldest, the registry's server first. Default none. */
  @Option(anything<readonly string[] | number>())
  readonly canary?: readonly string[] | number;

  /** What part of the fleet is done after each wave, in ascending percents from 1 to 99. Default none: all at once. */
  @Option(listOf<number>('give a list of numbers', (each) => typeof each === 'number'))
  readonly percents?: readonly number[];
}

/** One part of a run. */
export interface Wave {
  readonly name: string;
  /** How many tenants are done after it, counted from the beginning of the run. */
  readonly upTo: number;
  /** If given, only these tenants. */
  readonly slugs?: readonly string[];
}

/** The waves of a run over `size` tenants. The last one takes all that are left, even if more were added. */
export function planWaves(size: number, { canary = 0, percents = [] }: WaveOptions): Wave[] {
  return [
    ...planCanary(canary),
    ...percents.map((percent) => ({ name: `${percent} %`, upTo: Math.ceil((size * percent) / 100) })),
    { name: 'all', upTo: Infinity },
  ];
}

function planCanary(canary: readonly string[] | number): Wave[] {
  const [upTo, slugs] = typeof canary === 'number' ? [canary] : [canary.length, canary];
  return upTo === 0 ? [] : [{ name: 'canary', upTo, slugs }];
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
