import { setTimeout as pause } from 'node:timers/promises';
import type { Job } from 'bullmq';
import type { Tenant } from '../lib/registry/tenant';
import { startRedis } from '../test/support/system/redis';
import { type Bench, type BenchEnvironment, type Row, WrongAnswerError } from './bench';
import { makeFleet } from './fleet';
import { type BenchJob, type JobsVariant, oursOf, plainBullmq } from './jobs-variants';
import { inRounds, median, medians, quantile, rounded, runFor, type Sample } from './measure';

const TENANTS = 20;
const CONCURRENCY = 32;
const CALLERS = 32;
const BATCH = 500;
const BATCHES = 20;

/** What the flood's jobs and the others' cost, in milliseconds, and how many run at once. */
const WORK_MS = 5;
const AT_ONCE = 4;
const FLOOD = 100_000;
const FLOOD_BATCH = 2_000;
/** Jobs with a delay, all of which come due at the moment at which a round begins. */
const DUE_AT_ONCE = 20_000;
const PROBES = 100;

/** Jobs of BullMQ that carry their tenant, beside jobs that carry none; and how long a tenant waits for one behind a flood. */
export const jobsBench: Bench = {
  about: `jobs of ${TENANTS} tenants over Redis, beside plain BullMQ; and one tenant's behind ${FLOOD} of another. Needs redis-server`,

  async run(environment) {
    const redis = await startRedis();
    environment.cleanUp.add(() => redis.stop());
    const through = await throughput(environment, redis.port);
    const fair = await fairness(environment, redis.port);
    const rows = [...through.rows, ...fair.rows];
    return { rows, ratios: { ...through.ratios, ...fair.ratios } };
  },
};

async function throughput({ options, cleanUp, progress }: BenchEnvironment, port: number) {
  const fleet = makeFleet(TENANTS);
  const done = new Done();
  const setting = { port, concurrency: CONCURRENCY, handler: done.handle };
  const variants = [
    plainBullmq({ ...setting, queue: 'plain' }),
    await oursOf(fleet, { ...setting, queue: 'ours' }),
  ];
  for (const variant of variants) {
    cleanUp.add(() => variant.close());
    await drain(variant, fleet, done);
  }
  const added = await inRounds(variants, options.rounds, (variant) =>
    addOneByOne(variant, fleet, done, options.seconds),
  );
  const run = await inRounds(variants, options.rounds, async (variant, round) => {
    const sample = await drain(variant, fleet, done);
    progress(`round ${round + 1}: ${variant.name} ${rounded(sample.opsPerSecond)} jobs a second`);
    return sample;
  });
  const rowsOf = (samples: readonly Sample[][], suffix: string): Row[] =>
    variants.map(({ name }, i) => ({ variant: `${name}${suffix}`, ...medians(samples[i]) }));
  const ratio = ([plain, ours]: readonly Sample[][]) =>
    rounded(median(ours.map(({ opsPerSecond }, i) => opsPerSecond / plain[i].opsPerSecond)));
  return {
    rows: [...rowsOf(run, ''), ...rowsOf(added, '-add')],
    ratios: { vsPlainBullmq: ratio(run), addVsPlainBullmq: ratio(added) },
  };
}

/** From the first that is added, in batches of each tenant in turn, until the last is done. */
async function drain(variant: JobsVariant, fleet: readonly Tenant[], done: Done): Promise<Sample> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const all = done.expect(variant.name, BATCHES * BATCH);
  for (let batch = 0; batch < BATCHES; batch++) {
    const tenant = fleet[batch % fleet.length];
    await variant.addBulk(tenant, jobsOf(tenant, BATCH));
  }
  const waits = await Promise.race([all, failureOf(variant)]);
  const { user, system } = process.cpuUsage(cpu);
  return {
    opsPerSecond: (waits.length / (performance.now() - start)) * 1000,
    p50Ms: quantile(waits, 0.5),
    p99Ms: quantile(waits, 0.99),
    clientCpuMicros: (user + system) / waits.length,
  };
}

/** Callers that add one job after another, while the worker works. */
async function addOneByOne(
  variant: JobsVariant,
  fleet: readonly Tenant[],
  done: Done,
  seconds: number,
): Promise<Sample> {
  void done.expect(variant.name, 0);
  let count = 0;
  const sample = await runFor(seconds, CALLERS, async () => {
    const tenant = fleet[count++ % fleet.length];
    await variant.add(tenant, { owner: tenant.slug, number: count });
  });
  while (done.count < count) await pause(5);
  return sample;
}

async function fairness({ options, cleanUp, progress }: BenchEnvironment, port: number) {
  const [flooding, other] = makeFleet(2);
  const probes = new Map<number, () => void>();
  const handler = async ({ data }: Job<BenchJob>, slug: string | undefined) => {
    if (slug !== data.owner) throw new WrongAnswerError('ours', data.owner, slug);
    await pause(WORK_MS);
    probes.get(data.number)?.();
  };
  const setting = { port, concurrency: AT_ONCE, handler };
  const alone = await oursOf([flooding, other], { ...setting, queue: 'alone' });
  const flooded = await oursOf([flooding, other], { ...setting, queue: 'flooded' });
  const due = await oursOf([flooding, other], { ...setting, queue: 'due' });
  for (const variant of [alone, flooded, due]) cleanUp.add(() => variant.close());
  await Promise.all([flooded, due].map(({ worker }) => worker.pause()));
  const flood = async (variant: JobsVariant, jobs: number, delay?: number) => {
    progress(`adding ${jobs} jobs of one tenant`);
    for (let count = 0; count < jobs; count += FLOOD_BATCH)
      await variant.addBulk(flooding, jobsOf(flooding, FLOOD_BATCH), delay);
  };
  await flood(flooded, FLOOD);
  let number = FLOOD;
  const probe = async (variant: JobsVariant): Promise<number> => {
    const ran = new Promise<void>((resolve) => probes.set(++number, resolve));
    const start = performance.now();
    await variant.add(other, { owner: other.slug, number });
    await Promise.race([ran, failureOf(variant)]);
    return performance.now() - start;
  };
  const samples = await inRounds([alone, flooded, due], options.rounds, async (variant) => {
    if (variant === due) await flood(due, DUE_AT_ONCE, 1);
    if (variant !== alone) await variant.worker.resume();
    const waits: number[] = [];
    for (let count = 0; count < PROBES; count++) {
      waits.push(await probe(variant));
      await pause(Math.random() * 2 * WORK_MS);
    }
    if (variant !== alone) await variant.worker.pause();
    waits.sort((one, another) => one - another);
    const sample = {
      opsPerSecond: 1000 / median(waits),
      p50Ms: quantile(waits, 0.5),
      p99Ms: quantile(waits, 0.99),
    };
    const behind = variant === flooded ? 'a flood' : `${DUE_AT_ONCE} jobs that come due at once`;
    progress(`${variant === alone ? 'alone' : `behind ${behind}`}: p99 ${rounded(sample.p99Ms)} ms`);
    return sample;
  });
  const names = ['one-alone', 'one-behind-flood', 'one-behind-due'];
  const rows = names.map((variant, i) => ({ variant, ...medians(samples[i]) }));
  const over = (row: number) => rounded(rows[row].p99Ms / rows[0].p99Ms);
  return { rows, ratios: { fairP99Ratio: over(1), fairDueP99Ratio: over(2) } };
}

/** A job that runs for the wrong tenant fails, and the bench with it. */
function failureOf({ worker }: JobsVariant): Promise<never> {
  return new Promise((_, reject) => {
    worker.removeAllListeners('failed').on('failed', (_job, error) => reject(error));
  });
}

function jobsOf({ slug }: Tenant, count: number): BenchJob[] {
  return Array.from({ length: count }, (_, number) => ({ owner: slug, number: -number }));
}

/** Counts jobs, and looks whether each runs for its own tenant. */
class Done {
  count = 0;
  #waits: number[] = [];
  #expected = 0;
  #variant = '';
  #resolve: (waits: number[]) => void = () => undefined;

  expect(variant: string, count: number): Promise<number[]> {
    this.count = 0;
    this.#waits = [];
    this.#variant = variant;
    this.#expected = count;
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  readonly handle = (job: Job<BenchJob>, slug: string | undefined): Promise<void> => {
    if (this.#variant === 'ours' && slug !== job.data.owner)
      throw new WrongAnswerError(this.#variant, job.data.owner, slug);
    this.#waits.push(Date.now() - job.timestamp);
    if (++this.count === this.#expected) this.#resolve(this.#waits.sort((one, other) => one - other));
    return Promise.resolve();
  };
}
