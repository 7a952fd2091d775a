import { SeededRandom } from '../../../lib/testing/hammer/seeded-random';
import { createTestDatabase } from '../database';
import { hammer } from './hammer';
import { startHammerWorld } from './hammer-world';
import { BROKEN, breakMoves, HammerMoves } from './moves';

/** How often each control is tried. */
const ATTEMPTS = 5;

/** How many acknowledged writes are lost by each way to move wrongly; those online only where the server's log can be followed. A hammer that finds none would find none of ours either. */
export async function loseByControls(): Promise<Partial<Record<keyof typeof BROKEN, number>>> {
  const lost: Partial<Record<keyof typeof BROKEN, number>> = {};
  const isLogical = await canFollow();
  for (const how of Object.keys(BROKEN) as (keyof typeof BROKEN)[]) {
    if (BROKEN[how].how === 'online' && !isLogical) continue;
    lost[how] = 0;
    for (let attempt = 0; attempt < ATTEMPTS && lost[how] === 0; attempt++)
      lost[how] = await loseBy(how, attempt);
  }
  return lost;
}

/** Whether the server's log can be followed. */
export async function canFollow(): Promise<boolean> {
  const database = await createTestDatabase();
  const [{ level }] = await database.query<{ level: string }>(`SELECT current_setting('wal_level') AS level`);
  await database.drop();
  return level === 'logical';
}

async function loseBy(how: keyof typeof BROKEN, seed: number): Promise<number> {
  const database = await createTestDatabase();
  const further = await createTestDatabase();
  const world = await startHammerWorld({
    database,
    further: { ...further, poolUrl: further.url },
    poolUrls: [database.url, database.url],
    poolSize: 4,
    tenants: 4,
  });
  const mend = breakMoves(how);
  try {
    const operations = 2_000;
    const moving = new HammerMoves(world, {
      ...{ moves: 8, how: BROKEN[how].how, operations, random: new SeededRandom(seed) },
    });
    const { lostWrites } = await hammer(world, database, {
      ...{ operations, seed, moving, misuseWeight: 0.01, operationsPerFault: 1_000_000, over: 'process' },
    });
    return lostWrites;
  } finally {
    mend();
    world.abandon();
    await world.dropDatabases();
    await database.drop();
    await further.drop();
  }
}
