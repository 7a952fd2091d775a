import type { FleetMigrator } from '../lib/index';
import { collectGarbage } from '../test/support/collect-garbage';
import { WrongAnswerError } from './bench';
import { median } from './measure';

const SAMPLES = 10;

export interface HeapTask {
  readonly migrator: FleetMigrator;
  readonly tenants: number;
  readonly concurrency: number;
  readonly rounds: number;
  /** Takes the migration back from all. */
  undo(): Promise<void>;
}

/** In MB: what a run over all tenants holds at most, and how much of it one over half of them does not. */
export async function measureHeap(task: HeapTask): Promise<{ peakMb: number; growthMb: number }> {
  const halves: number[] = [];
  const wholes: number[] = [];
  for (let round = 0; round < task.rounds; round++) {
    await migrateHalf(task);
    halves.push(await peakOfRun(task, task.tenants / 2));
    await task.undo();
    wholes.push(await peakOfRun(task, task.tenants));
    await task.undo();
  }
  return { peakMb: median(wholes), growthMb: median(wholes) - median(halves) };
}

/** Leaves the other half to the next run. */
async function migrateHalf({ migrator, tenants, concurrency }: HeapTask): Promise<void> {
  const afterWave = () => Promise.reject(new Error('That was half of them.'));
  const { done } = await migrator.up({ concurrency, percents: [50], afterWave });
  if (done !== tenants / 2) throw new WrongAnswerError('heap', tenants / 2, done);
}

/** Beyond what the process held before it, at each tenth of a run over so many. */
async function peakOfRun({ migrator, concurrency }: HeapTask, tenants: number): Promise<number> {
  const before = heapInUse();
  let peak = -Infinity;
  let samples = 0;
  const onProgress = (finished: number) => {
    if (finished < ((samples + 1) * tenants) / SAMPLES) return;
    samples++;
    peak = Math.max(peak, heapInUse() - before);
  };
  const { done } = await migrator.up({ concurrency, onProgress });
  if (done !== tenants) throw new WrongAnswerError('heap', tenants, done);
  return peak / 2 ** 20;
}

function heapInUse(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
