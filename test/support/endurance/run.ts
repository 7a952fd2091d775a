import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startHammerWorld } from '../hammer/hammer-world';
import { longRun } from '../long-run';
import { type Sample, trends } from './flatness';
import { load, type LoadCounts } from './load';
import { takeSample } from './sampling';

const USAGE = `usage: npm run -s endurance -- [options]

  --minutes N   how long, over 0 (default 10)
  --json        one line of JSON instead of a table

DATABASE_URL names a server where databases may be created; without it an embedded one is started.`;

const TENANTS = 20;
const POOL_SIZE = 5;
const SAMPLES = 60;

async function main(): Promise<void> {
  const { minutes, json } = readOptions(process.argv.slice(2));
  await longRun(async ({ database, further, cleanUp, progress }) => {
    const poolUrls = [database.url, database.url];
    const world = await startHammerWorld({
      database,
      further,
      poolUrls,
      poolSize: POOL_SIZE,
      tenants: TENANTS,
    });
    cleanUp.add(() => world.close());
    const counts: LoadCounts = { requests: 0, failedRequests: 0, tenantsMade: 0, tenantsPurged: 0 };
    const over = new AbortController();
    const work = load(world, database, counts, over.signal).finally(() => over.abort());
    const samples = await observe(minutes, over.signal, async (startedAt) => {
      const sample = await takeSample(database, startedAt);
      progress(JSON.stringify(sample));
      return sample;
    });
    over.abort();
    await work;
    const measures = trends(samples);
    const flat = Object.values(measures).every(({ isFlat }) => isFlat);
    const report = { minutes, ...counts, flat, ...measures };
    console.log(json ? JSON.stringify({ ...report, samples }) : report);
    if (!flat || counts.failedRequests > 0) process.exitCode = 1;
  });
}

/** Looks at even times, until the load has failed or all is seen. */
async function observe(
  minutes: number,
  signal: AbortSignal,
  look: (startedAt: number) => Promise<Sample>,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const startedAt = performance.now();
  const intervalMs = (minutes * 60_000) / SAMPLES;
  while (samples.length < SAMPLES && !signal.aborted) {
    const dueAt = startedAt + (samples.length + 1) * intervalMs;
    await pause(Math.max(0, dueAt - performance.now()), undefined, { signal }).catch(() => undefined);
    samples.push(await look(startedAt));
  }
  return samples;
}

function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: { minutes: { type: 'string', default: '10' }, json: { type: 'boolean', default: false } },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes cannot be ${JSON.stringify(values.minutes)}.`);
  return { ...values, minutes };
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  console.error(USAGE);
  process.exitCode = 1;
});
