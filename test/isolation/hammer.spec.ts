import { Lease } from '../../lib/connection/lease';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { runHammer } from '../support/hammer/hammer';

const CLEAN = { wrongReads: 0, wrongWrites: 0, lostWrites: 0, hangs: 0, findings: [] };

// 2,000 operations take 10 seconds on a quiet machine; what hangs is counted by the hammer itself.
jest.setTimeout(180_000);

describe('The isolation hammer', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await database.drop();
  });

  /** Another one each day, and told in the report. A finding is repeated with HAMMER_SEED. */
  const seed = Number(process.env.HAMMER_SEED ?? Math.floor(Date.now() / 86_400_000));

  const hammer = (poolSize: number, operations: number, { stopAtFinding = false, seedOffset = 0 } = {}) =>
    runHammer({
      stopAtFinding,
      databaseUrl: database.url,
      poolUrl: database.poolUrl,
      seed: seed + poolSize + seedOffset,
      tenants: 20,
      poolSize,
      concurrency: 24,
      operations,
      operationsPerFault: 25,
    });

  /** Rows of somebody else that were read or written. What is broken may hang before it leaks: then once more. */
  async function leaks(): Promise<number> {
    for (let attempt = 0; attempt < 10; attempt++) {
      const options = { stopAtFinding: true, seedOffset: attempt * 1_000 };
      const { wrongReads, wrongWrites } = await hammer(2, 2_000, options);
      if (wrongReads + wrongWrites > 0) return wrongReads + wrongWrites;
    }
    return 0;
  }

  it.each([1, 2, 10])('finds nothing wrong with a pool of %i', async (poolSize) => {
    const report = await hammer(poolSize, 2_000);
    expect(report).toMatchObject({ ...CLEAN, seed: seed + poolSize });
    // It did something: rows were read, and faults were had.
    expect(report.rowsChecked).toBeGreaterThan(1_000);
    expect(report.faults).toBeGreaterThan(10);
    expect(report.failedOperations).toBeLessThan(1_400);
  });

  it('finds leaks when connections are lent on in whatever state they are', async () => {
    jest.spyOn(Lease.prototype, 'doubt').mockImplementation(() => undefined);
    expect(await leaks()).toBeGreaterThan(0);
  });

  it('finds leaks when a released client goes on working', async () => {
    jest.spyOn(Lease.prototype, 'refusal').mockReturnValue(undefined);
    expect(await leaks()).toBeGreaterThan(0);
  });
});
