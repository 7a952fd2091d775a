import type { Counter, Gauge } from 'prom-client';
import { within } from '../common/within';
import type { TenantMover } from '../moves/tenant-mover';
import type { EndedWork } from '../provisioning/hooks/ended-work';

/** Makes metrics whose names begin with the prefix, and which are registered with the others. */
export interface MetricMaker {
  counter<Label extends string>(name: string, help: string, ...labels: Label[]): Counter<Label>;
  gauge(name: string, help: string, ...labels: string[]): Gauge;
}

export interface WorkSources {
  readonly ended: Pick<EndedWork, 'on'>;
  readonly mover: Pick<TenantMover, 'listOpen'>;
}

const MAX_WAIT_MS = 1_000;

/** Metrics of moves and of timers: work that no request waits for. */
export class WorkMetrics {
  readonly #open: Gauge;
  readonly #lag: Gauge;
  readonly #stop: () => void;

  constructor(
    { counter, gauge }: MetricMaker,
    private readonly sources: WorkSources,
  ) {
    const open = 'Moves under way, of all instances, by state';
    this.#open = gauge('moves', open, 'state');
    this.#lag = gauge('move_lag_bytes', 'Log that the new places of online moves have not done yet');
    const moves = counter('moves_total', 'Moves that have ended here', 'outcome');
    const moveSeconds = counter('move_seconds_total', 'How long these moves took', 'outcome');
    const runs = counter('timer_runs_total', 'Runs of timers that have ended here', 'timer', 'outcome');
    const runSeconds = counter('timer_run_seconds_total', 'How long these runs took', 'timer');
    const visits = counter('timer_tenants_total', 'Tenants that timers have worked for', 'timer', 'outcome');
    const skipped = counter('timer_skipped_total', 'Fires of timers that came to nothing', 'timer');
    this.#stop = sources.ended.on(({ move, timerRun, skippedFires }) => {
      if (move) {
        moves.inc({ outcome: move.outcome });
        moveSeconds.inc({ outcome: move.outcome }, move.seconds);
      }
      if (timerRun) {
        const { timer, outcome, seconds, visited, failed } = timerRun;
        runs.inc({ timer, outcome });
        runSeconds.inc({ timer }, seconds);
        visits.inc({ timer, outcome: 'done' }, visited - failed);
        visits.inc({ timer, outcome: 'failed' }, failed);
      }
      if (skippedFires) skipped.inc({ timer: skippedFires.timer }, skippedFires.count);
    });
  }

  /** While the registry does not tell, the gauges have no value. */
  async show(): Promise<void> {
    const moves = await within(MAX_WAIT_MS, this.sources.mover.listOpen()).catch(() => undefined);
    this.#open.reset();
    this.#lag.reset();
    if (!moves) {
      this.#lag.remove();
      return;
    }
    for (const { state } of moves) this.#open.inc({ state });
    this.#lag.set(moves.reduce((sum, { progress }) => sum + (progress.lagBytes ?? 0), 0));
  }

  stop(): void {
    this.#stop();
  }
}
