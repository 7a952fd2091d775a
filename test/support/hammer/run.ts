import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { hasPgBouncer, longRun } from '../long-run';
import { hammer } from './hammer';
import { startHammerWorld } from './hammer-world';

const USAGE = `usage: npm run -s hammer -- [options]

  --operations N   how many, an integer from 1 (default 100000)
  --seed N         repeats what was drawn (default another one each time)
  --json           one line of JSON instead of a table
  --pgbouncer      fail where PgBouncer is not installed, instead of leaving it out

DATABASE_URL names a server where databases may be created, by a superuser; without it an embedded one is started.`;

const TENANTS = 20;
const POOL_SIZE = 4;

/** A connection that is destroyed costs as much as fifty statements, so what destroys one comes less often. */
const MISUSE_WEIGHT = 0.03;
const OPERATIONS_PER_FAULT = 500;
const PROGRESS_EVERY = 10_000;

async function main(): Promise<void> {
  const { operations, seed, json, pgbouncer } = readOptions(process.argv.slice(2));
  await longRun(async ({ database, further, startPooler, cleanUp, progress }) => {
    const isPooled = pgbouncer || hasPgBouncer();
    progress(isPooled ? 'Direct, and behind PgBouncer.' : 'Direct only: PgBouncer is not installed.');
    const { direct, pooled } = isPooled ? await startPooler() : { direct: database.url };
    const poolUrls = [direct, direct, ...(pooled ? [pooled, pooled] : [])];
    const world = await startHammerWorld({
      database,
      further,
      poolUrls,
      poolSize: POOL_SIZE,
      tenants: TENANTS,
    });
    cleanUp.add(() => world.dropDatabases());
    cleanUp.add(() => world.abandon());
    const { operations: done, ...rest } = await hammer(world, database, {
      operations,
      seed,
      misuseWeight: MISUSE_WEIGHT,
      operationsPerFault: OPERATIONS_PER_FAULT,
      onProgress: (number) => {
        if (number % PROGRESS_EVERY === 0) progress(`${number} of ${operations}`);
      },
    });
    const report = { operations: done, ...rest, pooled: isPooled };
    if (json) console.log(JSON.stringify(report));
    else console.log(report);
    if (rest.findings.length > 0) process.exitCode = 1;
  });
  // A run that found something may have left what it broke.
  process.exit();
}

function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      operations: { type: 'string', default: '100000' },
      seed: { type: 'string' },
      json: { type: 'boolean', default: false },
      pgbouncer: { type: 'boolean', default: false },
    },
  });
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  return { ...values, operations: Number(values.operations), seed: number(values.seed) };
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  console.error(USAGE);
  process.exitCode = 1;
});
