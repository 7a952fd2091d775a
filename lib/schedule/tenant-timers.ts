import { randomUUID } from 'node:crypto';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
  Optional,
} from '@nestjs/common';
import { backgroundClock, type Clock, CLOCK } from '../common/clock';
import { isTenancyCli } from '../common/tenancy-cli';
import { within } from '../common/within';
import { TenantContext } from '../context/tenant-context';
import { type EndedTimerRun, EndedWork } from '../provisioning/hooks/ended-work';
import { TenantStore } from '../registry/store/tenant.store';
import { type DeclaredTimer, DeclaredTimers } from './declared-timers';
import { type CheckedScheduleOptions, SCHEDULE_OPTIONS } from './schedule.options';
import { decide, isIdle, type TimerState } from './timer-decision';
import { describeRun, type TenantTimerRun, type TenantTimerStatus } from './timer-report';
import { TimerRows } from './timer-rows';
import { TimerRun } from './timer-run';

/** How soon an instance notices that a run was given up, or that its instance is gone. */
const RUNNING_MS = 1_000;

/** PostgreSQL's clock may be set, and another server may take over: nothing is waited for longer than this. */
const MAX_WAIT_MS = 30_000;

/** How long to wait after an answer that did not come. */
const RETRY_MS = 1_000;

/**
 * Runs the methods with `@TenantCron()`. All instances look at the registry when a timer fires, by PostgreSQL's clock,
 * and one of them gets the run.
 */
@Injectable()
export class TenantTimers implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger('Tenancy');
  readonly #runs = new Map<string, TimerRun>();
  #timers: readonly DeclaredTimer[] = [];
  #isRegistered = false;
  #isClosing = false;
  #loop: Promise<void> | undefined;
  #wake = (): void => undefined;

  constructor(
    private readonly declared: DeclaredTimers,
    private readonly rows: TimerRows,
    private readonly store: TenantStore,
    private readonly context: TenantContext,
    private readonly work: EndedWork,
    @Inject(SCHEDULE_OPTIONS) private readonly options: CheckedScheduleOptions,
    @Optional() @Inject(CLOCK) private readonly clock: Clock = backgroundClock,
  ) {}

  /** @throws InvalidScheduleError */
  onModuleInit(): void {
    this.#timers = this.declared.find();
  }

  /** The CLI only reads what the application declares. It runs no timers. */
  onApplicationBootstrap(): void {
    if (isTenancyCli() || this.#timers.length === 0) return;
    this.#loop = this.context.runInFrame(undefined, () => this.#keepLooking());
  }

  /** Nest calls this before the application's later shutdown hooks, which may close what the timers' work needs. */
  async onModuleDestroy(): Promise<void> {
    this.#isClosing = true;
    this.#wake();
    await this.#loop;
    const runs = [...this.#runs.values()];
    for (const run of runs) run.stop();
    const ended = Promise.allSettled(runs.map((run) => run.ended));
    await within(this.options.shutdownTimeoutMs, ended).catch(() => undefined);
    const released = await Promise.allSettled(runs.map((run) => run.release()));
    for (const each of released)
      if (each.status === 'rejected')
        this.#logger.warn(
          `A run was not handed over at shutdown. Another instance goes on with it when its lease ends: ${String(each.reason)}`,
        );
  }

  /** All timers that the registry knows, by name, with the last run of each. @throws TenancyUnavailableError */
  async list(): Promise<TenantTimerStatus[]> {
    const rows = await this.rows.list();
    const byName = new Map(this.#timers.map((timer) => [timer.name, timer]));
    return rows.map(({ name, expression, timeZone, skipped, skippedAt, lastRun }) => ({
      ...{ name, expression, timeZone },
      nextAt: byName.get(name)?.times.next(new Date()),
      ...{ skipped, skippedAt, lastRun },
    }));
  }

  async #keepLooking(): Promise<void> {
    let isAway = false;
    while (!this.#isClosing) {
      let waitMs = RETRY_MS;
      try {
        waitMs = await this.#look();
        isAway = false;
      } catch (error) {
        if (!isAway) this.#logger.warn(`Timers wait for the registry: ${String(error)}`);
        isAway = true;
      }
      if (!this.#isClosing) await this.#pause(waitMs);
    }
  }

  /** Settles what is due, and gives the milliseconds until something may be due again. */
  async #look(): Promise<number> {
    if (!this.#isRegistered) await this.rows.register(this.#timers.map(plain));
    this.#isRegistered = true;
    const states = await this.rows.look(this.#timers.map(({ name }) => name));
    const waits = [MAX_WAIT_MS];
    for (const timer of this.#timers) {
      const state = states.get(timer.name);
      if (state === undefined || this.#isClosing) continue;
      waits.push(timer.times.next(state.now).getTime() - state.now.getTime());
      const hasBegun = await this.#settle(timer, state);
      if (state.run || hasBegun) waits.push(RUNNING_MS);
    }
    return Math.min(...waits);
  }

  /** Whether this instance has begun a run, or has gone on with one. */
  async #settle(timer: DeclaredTimer, seen: TimerState): Promise<boolean> {
    const ofTimer = { missed: timer.missed, lateAfterMs: this.options.lateAfterMs };
    const decideOf = (state: TimerState) => {
      const decision = decide(timer.times, ofTimer, state);
      // Its own run may have lost its lease, and still have tenants in flight here.
      const { resume, ...others } = decision;
      return this.#runs.has(timer.name) ? others : { ...others, resume };
    };
    if (isIdle(decideOf(seen), seen)) return false;
    let skipped = 0;
    const claimed = await this.rows.settle(timer.name, randomUUID(), this.options.leaseMs, (state) => {
      const decision = decideOf(state);
      skipped = decision.skipped;
      return decision;
    });
    if (skipped > 0) {
      this.work.tell({ skippedFires: { timer: timer.name, count: skipped } });
      this.#logger.warn(
        `The timer "${timer.name}" has skipped ${skipped} fire(s): ${seen.run ? 'the last run goes on' : 'no instance was there, or the registry was away'}.`,
      );
    }
    if (!claimed) return false;
    const { rows, store, context, clock } = this;
    const run = new TimerRun(timer, claimed, { rows, store, context, clock, leaseMs: this.options.leaseMs });
    this.#runs.set(timer.name, run);
    void this.#follow(timer.name, run);
    return true;
  }

  async #follow(name: string, run: TimerRun): Promise<void> {
    try {
      const record = await run.ended;
      if (record) await this.#tell(record);
    } catch (error) {
      this.#logger.warn(`The end of a run of the timer "${name}" was not recorded: ${String(error)}`);
    } finally {
      this.#runs.delete(name);
      // A fire may wait for the end of the run.
      this.#wake();
    }
  }

  async #tell(record: TenantTimerRun): Promise<void> {
    const isSound = record.failed === 0 && record.state === 'done';
    this.#logger[isSound ? 'log' : 'warn'](describeRun(record));
    this.work.tell({ timerRun: toEnded(record) });
    try {
      await this.options.onRun?.(record);
    } catch (error) {
      this.#logger.error(`onRun failed for a run of the timer "${record.name}".`, error);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const callOff = this.clock.after(ms, resolve);
      this.#wake = () => {
        callOff();
        resolve();
      };
    });
  }
}

function toEnded({
  name,
  state,
  startedAt,
  finishedAt = startedAt,
  visited,
  failed,
}: TenantTimerRun): EndedTimerRun {
  const outcome = state === 'broken' ? 'broken' : failed > 0 ? 'failed' : 'done';
  const seconds = (finishedAt.getTime() - startedAt.getTime()) / 1_000;
  return { timer: name, outcome, seconds, visited, failed };
}

function plain({ name, expression, timeZone }: DeclaredTimer) {
  return { name, expression, timeZone };
}
