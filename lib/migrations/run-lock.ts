import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { messageOf } from '../common/error-message';
import type { CheckedFleetOptions } from './fleet-migrator.options';
import type { FleetReport } from './fleet-report';
import { LOCK_SECONDS, MigrationRuns, type RunDirection } from './migration-runs';
import { MigrationRunActiveError, MigrationRunLostError } from './migrations.errors';

const RENEW_MS = (LOCK_SECONDS * 1_000) / 6;
const WAIT_MS = 500;

const LOST = 'another run may have taken over, because this one could not renew its lock.';
const CLOSING = 'the application is closing. Run again: what is done stays done.';

/** A run that has the lock. */
export interface HeldRun {
  readonly runId: string;
  /** Whether another run has worked meanwhile: what was read before may not be true any more. */
  readonly hasWaited: boolean;
  /**
   * Why nothing more may be begun: another run may have taken over, because this one could not renew its lock, or the
   * application is closing.
   */
  readonly whyStop: () => string | undefined;
}

/** Lets one run at a time work on the fleet. */
@Injectable()
export class RunLock implements OnModuleDestroy {
  readonly #logger = new Logger(RunLock.name);

  readonly #active = new Set<Promise<unknown>>();
  #isClosing = false;

  constructor(private readonly runs: MigrationRuns) {}

  /** Tenants that have begun are finished; the rest is left to the next run. */
  async onModuleDestroy(): Promise<void> {
    this.#isClosing = true;
    await Promise.allSettled(this.#active);
  }

  /**
   * Returns the report of `work`, which is stored with the run.
   *
   * @throws MigrationRunActiveError while another run works, unless `wait`
   * @throws MigrationRunLostError when another run may have taken over
   */
  hold(
    direction: RunDirection,
    migrations: readonly string[],
    options: Pick<CheckedFleetOptions, 'wait' | 'onBegin'>,
    work: (held: HeldRun) => Promise<FleetReport>,
  ): Promise<FleetReport> {
    const held = this.#hold(direction, migrations, options, work);
    this.#active.add(held);
    return held.finally(() => this.#active.delete(held));
  }

  async #hold(
    direction: RunDirection,
    migrations: readonly string[],
    { wait, onBegin }: Pick<CheckedFleetOptions, 'wait' | 'onBegin'>,
    work: (held: HeldRun) => Promise<FleetReport>,
  ): Promise<FleetReport> {
    const { runId, hasWaited } = await this.#begin(direction, migrations, wait ?? false);
    onBegin?.(runId);
    let lost = false;
    const timer = setInterval(() => {
      this.runs.renew(runId).then(
        (isOurs) => (lost ||= !isOurs),
        // Two runs do not collide even then: each tenant's ledger entry is locked by the transaction that migrates it.
        (error: unknown) => this.#logger.warn(`The lock of run ${runId} was not renewed: ${String(error)}`),
      );
    }, RENEW_MS);
    try {
      const whyStop = () => (lost ? LOST : this.#isClosing ? CLOSING : undefined);
      const report = await work({ runId, hasWaited, whyStop });
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

  async #begin(
    direction: RunDirection,
    migrations: readonly string[],
    wait: boolean,
  ): Promise<Pick<HeldRun, 'runId' | 'hasWaited'>> {
    for (let hasWaited = false; ; hasWaited = true) {
      try {
        return { runId: await this.runs.begin(direction, migrations), hasWaited };
      } catch (error) {
        if (!wait || this.#isClosing || !(error instanceof MigrationRunActiveError)) throw error;
        await delay(WAIT_MS);
      }
    }
  }

  async #fail(runId: string, error: unknown): Promise<void> {
    const message = messageOf(error);
    await this.runs.finish(runId, 'failed', { error: message }).catch((why: unknown) => {
      this.#logger.warn(`The end of run ${runId} was not recorded: ${String(why)}`);
    });
  }
}
