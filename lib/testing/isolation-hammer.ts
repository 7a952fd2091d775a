import { randomInt } from 'node:crypto';
import type { HammerTenant } from './hammer/hammer-call';
import { HammerRun } from './hammer/hammer-run';
import {
  checkHammerOptions,
  type IsolationHammerOptions,
  type IsolationHammerReport,
} from './isolation-hammer.options';
import { HammerBlindError } from './testing.errors';

/**
 * Runs random operations of an application for random tenants, many at once, while it is disturbed. What they write
 * carries a stamp of its tenant, and what they read is searched for stamps of others. At the end all rows of each
 * tenant are read: acknowledged writes must be there, and nothing that was rolled back. Findings are counted, not
 * thrown.
 *
 * @throws RangeError for an option out of bounds
 * @throws HammerBlindError when a kind of operation never succeeds, or no stamp was ever read
 */
export async function runIsolationHammer<T extends HammerTenant = string>(
  options: IsolationHammerOptions<T>,
): Promise<IsolationHammerReport> {
  checkHammerOptions(options);
  const { operations, seed = randomInt(2 ** 32) } = options;
  const startedAt = performance.now();
  const run = new HammerRun(options, seed);
  await run.run();
  await run.checkTables();
  const { rowsChecked, wrongReads, wrongWrites, lostWrites, hangs, findings } = run.ledger;
  if (findings.length === 0) {
    run.tally.assertSeeing();
    if (rowsChecked === 0)
      throw new HammerBlindError('No operation read a stamp, and readAll() returned none');
  }
  const { failures } = run.tally;
  return {
    operations,
    faults: run.faults,
    rowsChecked,
    wrongReads,
    wrongWrites,
    lostWrites,
    seed,
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    failedOperations: Object.values(failures).reduce((sum, count) => sum + count, 0),
    failures,
    hangs,
    findings,
  };
}
