import { Lease } from '../../lib/connection/pool/lease';
import { SchemaCheck } from '../../lib/connection/protocol/transaction-parameters';
import { type ContextFrame, TenantContext } from '../../lib/context/tenant-context';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { hammer } from '../support/hammer/hammer';
import { type HammerWorld, startHammerWorld } from '../support/hammer/hammer-world';

const CLEAN = { wrongReads: 0, wrongWrites: 0, lostWrites: 0, hangs: 0, findings: [] };

// 400 operations take 10 seconds on a quiet machine; what hangs is counted by the hammer itself.
jest.setTimeout(400_000);

describe('The isolation hammer', () => {
  let database: TestDatabase;
  let further: TestDatabase;
  let world: HammerWorld;

  async function start(poolSize: number): Promise<void> {
    database = await createTestDatabase();
    further = await createTestDatabase();
    const poolUrls = [database.poolUrl, database.poolUrl];
    world = await startHammerWorld({ database, further, poolUrls, poolSize, tenants: 20 });
  }
  afterEach(async () => {
    jest.restoreAllMocks();
    await world.dropDatabases().catch(() => undefined);
    await database.drop();
    await further.drop();
  });

  /** Another one each day, and told in the report. A finding is repeated with HAMMER_SEED. */
  const seed = Number(process.env.HAMMER_SEED ?? Math.floor(Date.now() / 86_400_000));

  /** Rows of somebody else that were read or written. What is broken may hang before it leaks: then once more, from the start. */
  async function leaksWhenBroken(over: 'process' | 'http', breakIt: () => void): Promise<number> {
    for (let attempt = 0; attempt < 10; attempt++) {
      await start(2);
      breakIt();
      try {
        const { wrongReads, wrongWrites } = await hammer(world, database, {
          over,
          operations: 2_000,
          seed: seed + attempt * 1_000,
          operationsPerFault: 25,
          stopAtFinding: true,
          timeoutMs: 10_000,
        });
        if (wrongReads + wrongWrites > 0) return wrongReads + wrongWrites;
      } finally {
        jest.restoreAllMocks();
        world.abandon();
        await world.dropDatabases();
        await database.drop();
        await further.drop();
      }
    }
    return 0;
  }

  it.each([1, 2, 10])('finds nothing wrong in two instances with a pool of %i each', async (poolSize) => {
    await start(poolSize);
    const report = await hammer(world, database, {
      // With one connection for all of them nearly every operation opens one.
      operations: poolSize === 1 ? 260 : 400,
      seed: seed + poolSize,
      operationsPerFault: 25,
    });
    await world.close();
    expect(report).toMatchObject({ ...CLEAN, seed: seed + poolSize });
    // It did something: rows were read, and faults were had.
    expect(report.rowsChecked).toBeGreaterThan(400);
    expect(report.faults).toBeGreaterThan(8);
    expect(report.failedOperations).toBeLessThan(200);
  });

  it('finds leaks when connections are lent on in whatever state they are', async () => {
    const leaks = await leaksWhenBroken('process', () =>
      jest.spyOn(Lease.prototype, 'doubt').mockImplementation(() => undefined),
    );
    expect(leaks).toBeGreaterThan(0);
  });

  it('finds leaks when a released client goes on working', async () => {
    const leaks = await leaksWhenBroken('process', () =>
      jest.spyOn(Lease.prototype, 'refusal').mockReturnValue(undefined),
    );
    expect(leaks).toBeGreaterThan(0);
  });

  it('finds what is run for a tenant whose schema is missing when PostgreSQL is not asked for it', async () => {
    const leaks = await leaksWhenBroken('process', () => {
      jest.spyOn(SchemaCheck.prototype, 'look', 'get').mockReturnValue('1');
      jest.spyOn(SchemaCheck.prototype, 'command', 'get').mockReturnValue('SELECT 1');
    });
    expect(leaks).toBeGreaterThan(0);
  });

  it('finds leaks over HTTP when the tenant is kept in a variable instead of the context of the request', async () => {
    const { runInFrame } = TenantContext.prototype;
    let latest: ContextFrame | undefined;
    const leaks = await leaksWhenBroken('http', () => {
      jest.spyOn(TenantContext.prototype, 'frame').mockImplementation(() => latest);
      jest.spyOn(TenantContext.prototype, 'runInFrame').mockImplementation(function <T>(
        this: TenantContext,
        frame: ContextFrame | undefined,
        work: () => T,
      ): T {
        latest = frame;
        return runInFrame.call(this, frame, work) as T;
      });
    });
    expect(leaks).toBeGreaterThan(0);
  });
});
