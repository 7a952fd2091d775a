/** What one round of one variant gave. */
export interface Sample {
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of this process for each operation: the client's share of the work. */
  readonly clientCpuMicros: number;
}

/** Runs `operation` in a closed loop of `callers` until the time is up. The first failure ends it. */
export async function runFor(
  seconds: number,
  callers: number,
  operation: () => Promise<void>,
): Promise<Sample> {
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + seconds * 1000;
  let failed = false;
  const caller = async () => {
    for (let before = performance.now(); before < end && !failed;) {
      await operation();
      const after = performance.now();
      latencies.push(after - before);
      before = after;
    }
  };
  const settled = await Promise.allSettled(
    Array.from({ length: callers }, () =>
      caller().catch((error: unknown) => {
        failed = true;
        throw error;
      }),
    ),
  );
  for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason;
  const elapsedMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((one, other) => one - other);
  return {
    opsPerSecond: (latencies.length / elapsedMs) * 1000,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    clientCpuMicros: (user + system) / latencies.length,
  };
}

/**
 * One sample a round for each variant, in the order of `variants`. The order of turns is rotated, so that nobody always
 * runs first, and a machine that is slow for a moment is slow for all.
 */
export async function inRounds<Variant, Result>(
  variants: readonly Variant[],
  rounds: number,
  measure: (variant: Variant, round: number) => Promise<Result>,
): Promise<Result[][]> {
  const samples: Result[][] = variants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < variants.length; turn++) {
      const index = (turn + round) % variants.length;
      samples[index].push(await measure(variants[index], round));
    }
  }
  return samples;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of each field over the samples, rounded for people. */
export function medians<Sample extends Readonly<Record<keyof Sample, number>>>(
  samples: readonly Sample[],
): Record<keyof Sample, number> {
  const fields = Object.keys(samples[0]) as (keyof Sample)[];
  const entries = fields.map((field) => [field, rounded(median(samples.map((sample) => sample[field])))]);
  return Object.fromEntries(entries) as Record<keyof Sample, number>;
}

/** Whole numbers from 100, three digits below. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** `share` of the values, which are in ascending order, are not above it. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
