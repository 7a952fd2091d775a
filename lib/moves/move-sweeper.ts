import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  Optional,
} from '@nestjs/common';
import { backgroundClock, CLOCK, type Clock } from '../common/clock';
import { SweepLoop, type SweepProblems } from '../common/sweep-loop';
import { thisProcess } from '../common/this-process';
import { uuidV7 } from '../common/uuid-v7';
import { PROVISIONING_OPTIONS, type ProvisioningOptions } from '../provisioning/provisioning.options';
import type { Move } from './move';
import { MoveEndings } from './move-endings';
import { MoveRecords, SILENT_SECONDS } from './move-records';
import { MoveRemains } from './move-remains';
import { MoveSessions } from './move-sessions';

/** A tenant whose move has stopped may be served nowhere, so this is looked for more often than all else. */
const INTERVAL_MS = 10_000;

/** What a sweep did. */
export interface MoveSweepReport {
  /** Moves whose worker had died, and that were brought to their end. */
  readonly ended: readonly Move[];
  /** Moves whose remains were dropped. */
  readonly dropped: readonly Move[];
  /** What failed, in words; the next sweep tries it again. */
  readonly problems: readonly string[];
}

/** Goes on with moves whose worker has died, or undoes them, and drops what moves have left. Any instance may do it. */
@Injectable()
export class MoveSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger(MoveSweeper.name);
  readonly #loop: SweepLoop<MoveSweepReport>;
  #told = '';

  constructor(
    private readonly records: MoveRecords,
    private readonly sessions: MoveSessions,
    private readonly endings: MoveEndings,
    private readonly remains: MoveRemains,
    @Inject(PROVISIONING_OPTIONS) private readonly options: ProvisioningOptions,
    @Optional() @Inject(CLOCK) clock: Clock = backgroundClock,
  ) {
    this.#loop = new SweepLoop((problems) => this.#sweep(problems), clock);
  }

  onApplicationBootstrap(): void {
    const { intervalMs } = this.options.sweeper;
    if (intervalMs > 0)
      this.#loop.startLater(Math.min(INTERVAL_MS, intervalMs), ({ problems }) => this.#tell(problems));
  }

  async onModuleDestroy(): Promise<void> {
    await this.#loop.stop();
  }

  /** Runs a sweep and returns its report. While one is running, all callers get the same report. */
  sweep(): Promise<MoveSweepReport> {
    return this.#loop.run();
  }

  /** Once, and again when they change: a server may be away for hours. */
  #tell(problems: readonly string[]): void {
    const told = problems.join('\n');
    if (told !== this.#told) for (const problem of problems) this.#logger.warn(problem);
    this.#told = told;
  }

  async #sweep(problems: SweepProblems): Promise<MoveSweepReport> {
    const ended: Move[] = [];
    const dropped: Move[] = [];
    const open = (await problems.attempt('look for moves', () => this.records.listOpen())) ?? [];
    for (const move of open) {
      const what = `end the move ${move.id} of the tenant ${move.tenantId}, which is ${move.state}`;
      const end = await problems.attempt(what, () => this.#end(move));
      if (end) ended.push(end);
    }
    const left = (await problems.attempt('look for remains of moves', () => this.records.listToDrop())) ?? [];
    for (const move of left)
      await problems.attempt(`drop what the move ${move.id} has left`, async () => {
        await this.remains.drop(move);
        dropped.push(move);
      });
    const linked =
      (await problems.attempt('look for slots of moves', () => this.records.listToUnlink())) ?? [];
    for (const move of linked)
      await problems.attempt(`take away the slot of the move ${move.id}`, () => this.remains.unlink(move));
    return { ended, dropped, problems: problems.list };
  }

  /** `undefined` while its worker lives. */
  async #end(move: Move): Promise<Move | undefined> {
    const isDead = (await this.records.silentSeconds(move)) > SILENT_SECONDS;
    return this.sessions.asWorker(
      move.id,
      async () => {
        const own = await this.records.takeOver(move, `${thisProcess()}, ${uuidV7()}`);
        if (!own) return undefined;
        const why =
          own.cancelledBy === undefined
            ? `Its worker (${move.worker}) has died.`
            : `It was cancelled by ${own.cancelledBy}.`;
        return this.endings.settle(own, why);
      },
      { isDead },
    );
  }
}
