/** What a process and its database hold at one moment. */
export interface Sample {
  readonly seconds: number;
  /** Of the process, after a garbage collection. */
  readonly heapMb: number;
  readonly rssMb: number;
  /** Open files and sockets of the process. */
  readonly handles: number;
  /** Sessions of the database. */
  readonly backends: number;
  /** What they hold together, without what they share. */
  readonly backendMb: number;
}

export interface Trend {
  readonly early: number;
  readonly late: number;
  readonly isFlat: boolean;
}

/** How much more the end may have than the beginning: noise, and caches that are still filling. */
const TOLERANCES = {
  heapMb: { factor: 1.1, plus: 5 },
  rssMb: { factor: 1.15, plus: 20 },
  handles: { factor: 1, plus: 5 },
  backends: { factor: 1, plus: 2 },
} as const;

type Measure = keyof typeof TOLERANCES | 'backendMb';

/** The second quarter, when all is warm, against the last; medians of each. */
export function trends(samples: readonly Sample[]): Record<Measure, Trend> {
  const quarter = Math.floor(samples.length / 4);
  const early = samples.slice(quarter, 2 * quarter);
  const late = samples.slice(-quarter);
  const trend = (measure: Measure, { factor, plus }: { factor: number; plus: number }): Trend => {
    const [before, after] = [early, late].map((part) => median(part.map((sample) => sample[measure])));
    return { early: before, late: after, isFlat: after <= before * factor + plus };
  };
  return {
    heapMb: trend('heapMb', TOLERANCES.heapMb),
    rssMb: trend('rssMb', TOLERANCES.rssMb),
    handles: trend('handles', TOLERANCES.handles),
    backends: trend('backends', TOLERANCES.backends),
    // A backend remembers each tenant that it has served, purged ones too: see docs/connections.md.
    backendMb: trend('backendMb', { factor: Infinity, plus: 0 }),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
