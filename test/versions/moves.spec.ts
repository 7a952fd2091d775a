import { SeededRandom } from '../../lib/testing/hammer/seeded-random';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { loseByControls } from '../support/hammer/controls';
import { hammer } from '../support/hammer/hammer';
import { startHammerWorld } from '../support/hammer/hammer-world';
import { HammerMoves } from '../support/hammer/moves';

// Each run takes 10 seconds on a quiet machine.
jest.setTimeout(400_000);

describe('The isolation hammer, while tenants move', () => {
  const databases: TestDatabase[] = [];
  const create = async () => {
    databases.push(await createTestDatabase());
    return databases.at(-1)!;
  };
  afterAll(async () => {
    for (const database of databases) await database.drop();
  });

  it('finds no write lost, doubled or in the wrong place, though backends end and a mover is killed', async () => {
    const [database, further] = [await create(), await create()];
    const world = await startHammerWorld({
      database,
      // A move needs sessions of its own, of the role that owns the schemas.
      further: { ...further, poolUrl: further.url },
      poolUrls: [database.url, database.url],
      poolSize: 4,
      tenants: 6,
    });
    const [operations, seed] = [2_000, Math.floor(Date.now() / 86_400_000)];
    const random = new SeededRandom(seed);
    const moving = new HammerMoves(world, { moves: 8, kills: 1, operations, random });
    const found = await hammer(world, database, { operations, seed, moving, misuseWeight: 0.03 });
    const report = { ...found, ...(await moving.report()) };
    await world.close();
    await world.dropDatabases();
    expect(report).toMatchObject({
      ...{ wrongReads: 0, wrongWrites: 0, lostWrites: 0, hangs: 0, findings: [], wrongPlaces: [] },
    });
    expect(report.moved).toBeGreaterThan(2);
  });

  it('finds lost writes when a move keeps no writer away, or leaves the schema where it was', async () => {
    const lost = await loseByControls();
    expect(lost.noWait).toBeGreaterThan(0);
    expect(lost.noFence).toBeGreaterThan(0);
  });
});
