import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  Optional,
} from '@nestjs/common';
import { backgroundClock, type Clock, CLOCK } from '../../common/clock';
import { SweepLoop } from '../../common/sweep-loop';
import { isTenancyCli } from '../../common/tenancy-cli';
import { TenantContext } from '../../context/tenant-context';
import { SupportSessions } from './support-sessions';

const PAUSE_MS = 60_000;

/** Records the ends of sessions whose time is over. They let nobody in since then, whenever it comes by. */
@Injectable()
export class SupportSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger('Tenancy');
  readonly #loop: SweepLoop<readonly string[]>;

  constructor(
    sessions: SupportSessions,
    private readonly context: TenantContext,
    @Optional() @Inject(CLOCK) clock: Clock = backgroundClock,
  ) {
    this.#loop = new SweepLoop(async (problems) => {
      await problems.attempt('record the ends of support sessions', () => sessions.endOver());
      return problems.list;
    }, clock);
  }

  onApplicationBootstrap(): void {
    if (isTenancyCli()) return;
    this.context.runInFrame(undefined, () =>
      this.#loop.startLater(PAUSE_MS, (problems) => {
        for (const each of problems) this.#logger.warn(each);
      }),
    );
  }

  async onModuleDestroy(): Promise<void> {
    await this.#loop.stop();
  }
}
