import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import type { FleetReport } from './fleet-report';
import { LEASE_SECONDS, MigrationRuns, type RunDirection } from './migration-runs';
import { MigrationRunActiveError, MigrationRunLostError } from './migrations.errors';

const RENEW_MS = (LEASE_SECONDS * 1_000) / 6;
const WAIT_MS = 500;

/** Holds the fleet for one run at a time. */
@Injectable()
export class RunLease {
  readonly #logger = new Logger(RunLease.name);

  constructor(private readonly runs: MigrationRuns) {}

  /**
   * What `work` gives, which is kept with the run. `isLost` tells it that another run may have taken over, because this
   * one could not renew its lease.
   *
   * @throws MigrationRunActiveError unless `wait`; MigrationRunLostError
   */
  async hold(
    direction: RunDirection,
    migrations: readonly string[],
    { wait }: { readonly wait?: boolean },
    work: (runId: string, isLost: () => boolean) => Promise<FleetReport>,
  ): Promise<FleetReport> {
    const runId = await this.#begin(direction, migrations, wait ?? false);
    let lost = false;
    const timer = setInterval(() => {
      this.runs.renew(runId).then(
        (isOurs) => (lost ||= !isOurs),
        // The ledger keeps two runs apart even so: each tenant's entry is claimed in the transaction that runs it.
        (error: unknown) => this.#logger.warn(`The lease of run ${runId} was not renewed: ${String(error)}`),
      );
    }, RENEW_MS);
    try {
      const report = await work(runId, () => lost);
      if (lost) throw new MigrationRunLostError(runId);
      await this.runs.finish(runId, report.state, report);
      return report;
    } catch (error) {
      await this.#fail(runId, error);
      throw error;
    } finally {
      clearInterval(timer);
    }
  }

  async #begin(direction: RunDirection, migrations: readonly string[], wait: boolean): Promise<string> {
    for (;;) {
      try {
        return await this.runs.begin(direction, migrations);
      } catch (error) {
        if (!wait || !(error instanceof MigrationRunActiveError)) throw error;
        await delay(WAIT_MS);
      }
    }
  }

  async #fail(runId: string, error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    await this.runs.finish(runId, 'failed', { error: message }).catch((why: unknown) => {
      this.#logger.warn(`The end of run ${runId} was not recorded: ${String(why)}`);
    });
  }
}
