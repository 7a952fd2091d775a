import 'reflect-metadata';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { hasPgBouncer, longRun } from '../long-run';
import { SeededRandom } from '../../../lib/testing/hammer/seeded-random';
import { loseByControls } from './controls';
import { hammer } from './hammer';
import { startHammerWorld } from './hammer-world';
import { HammerMoves } from './moves';

const USAGE = `usage: npm run -s hammer -- [options]

  --operations N   how many, an integer from 1 (default 100000)
  --seed N         repeats what was drawn (default another one each time)
  --moves N        tenants are moved so often meanwhile (default 0)
  --kills N        of so many moves the process is killed (default a fifth)
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
  const {
    operations,
    seed = randomInt(2 ** 32),
    moves,
    kills,
    json,
    pgbouncer,
  } = readOptions(process.argv.slice(2));
  await longRun(async ({ database, further, startPooler, cleanUp, progress }) => {
    const isPooled = pgbouncer || hasPgBouncer();
    progress(isPooled ? 'Direct, and behind PgBouncer.' : 'Direct only: PgBouncer is not installed.');
    const { direct, pooled } = isPooled ? await startPooler() : { direct: database.url };
    const poolUrls = [direct, direct, ...(pooled ? [pooled, pooled] : [])];
    // The same role there: a copy that belongs to another one would differ from the tenant.
    const furtherUrl = Object.assign(new URL(direct), { pathname: new URL(further.url).pathname }).href;
    const world = await startHammerWorld({
      database,
      further: { ...further, url: furtherUrl, poolUrl: furtherUrl },
      poolUrls,
      directUrl: direct,
      poolSize: POOL_SIZE,
      tenants: TENANTS,
    });
    cleanUp.add(() => world.dropDatabases());
    cleanUp.add(() => world.abandon());
    const random = new SeededRandom(seed);
    const moving = moves > 0 ? new HammerMoves(world, { moves, kills, operations, random }) : undefined;
    const { operations: done, ...rest } = await hammer(world, database, {
      operations,
      seed,
      moving,
      misuseWeight: MISUSE_WEIGHT,
      operationsPerFault: OPERATIONS_PER_FAULT,
      onFinding: (finding) => progress(`Found: ${finding}`),
      onProgress: (number) => {
        if (number % PROGRESS_EVERY === 0) progress(`${number} of ${operations}`);
      },
    });
    const moved = await moving?.report();
    const controlLost = moving && (await loseByControls());
    const report = { operations: done, ...rest, ...moved, controlLost, pooled: isPooled };
    if (json) console.log(JSON.stringify(report));
    else console.log(report);
    const isBlind = controlLost && Object.values(controlLost).includes(0);
    if (rest.findings.length > 0 || (moved && moved.wrongPlaces.length > 0) || isBlind) process.exitCode = 1;
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
      moves: { type: 'string', default: '0' },
      kills: { type: 'string' },
      json: { type: 'boolean', default: false },
      pgbouncer: { type: 'boolean', default: false },
    },
  });
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  const moves = Number(values.moves);
  const kills = number(values.kills) ?? Math.floor(moves / 5);
  return { ...values, operations: Number(values.operations), seed: number(values.seed), moves, kills };
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  console.error(USAGE);
  process.exitCode = 1;
});
