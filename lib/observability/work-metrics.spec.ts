import { Counter, Gauge, Registry } from 'prom-client';
import type { Move } from '../moves/move';
import { EndedWork } from '../provisioning/hooks/ended-work';
import { WorkMetrics } from './work-metrics';

describe('Metrics of work that no request waits for', () => {
  const registry = new Registry();
  const ended = new EndedWork();
  let moves: () => Promise<Partial<Move>[]> = () => Promise.resolve([]);
  const metrics = new WorkMetrics(
    {
      counter: (name, help, ...labelNames) => new Counter({ name, help, labelNames, registers: [registry] }),
      gauge: (name, help, ...labelNames) => new Gauge({ name, help, labelNames, registers: [registry] }),
    },
    { ended, mover: { listOpen: () => moves() as Promise<Move[]> } },
  );
  const lines = async (name: string) =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith(name));

  it('count runs of timers by what became of them, and tenants in them', async () => {
    const run = { timer: 'daily', seconds: 2, visited: 5, failed: 0 };
    ended.tell({ timerRun: { ...run, outcome: 'done' } });
    ended.tell({ timerRun: { ...run, outcome: 'failed', failed: 2 } });
    ended.tell({ skippedFires: { timer: 'daily', count: 3 } });
    expect(await lines('timer_')).toEqual([
      'timer_runs_total{timer="daily",outcome="done"} 1',
      'timer_runs_total{timer="daily",outcome="failed"} 1',
      'timer_run_seconds_total{timer="daily"} 4',
      'timer_tenants_total{timer="daily",outcome="done"} 8',
      'timer_tenants_total{timer="daily",outcome="failed"} 2',
      'timer_skipped_total{timer="daily"} 3',
    ]);
  });

  it('tell of moves under way, and nothing of them while the registry is away', async () => {
    const progress = { tables: 0, ofTables: 0, rows: 0 };
    moves = () =>
      Promise.resolve([
        { state: 'copying', progress },
        ...[100, 20].map((lagBytes) => ({
          state: 'following' as const,
          progress: { ...progress, lagBytes },
        })),
      ]);
    await metrics.show();
    const open = ['moves{state="copying"} 1', 'moves{state="following"} 2'];
    expect([...(await lines('moves{')), ...(await lines('move_lag'))]).toEqual([
      ...open,
      'move_lag_bytes 120',
    ]);
    moves = () => Promise.reject(new Error('away'));
    await metrics.show();
    expect([...(await lines('moves{')), ...(await lines('move_lag'))]).toEqual([]);
  });

  it('count nothing after the end of the application', async () => {
    metrics.stop();
    ended.tell({ move: { outcome: 'done', seconds: 1 } });
    expect(await lines('moves_total')).toEqual([]);
  });
});
