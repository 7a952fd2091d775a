import type { FleetReport } from './fleet-report';
import { checkWaves, type WaveOptions } from './waves';

export interface FleetMigrationOptions extends WaveOptions {
  /** Tenants worked on at once: an integer from 1. Default 4, or the pool's size when that is less. */
  readonly concurrency?: number;
  /** How long a statement waits for a lock, in milliseconds from 1. Default 5,000: so long, at most, it holds up requests behind it. */
  readonly lockTimeoutMs?: number;
  /** How often a tenant is tried again after a deadlock or a lock that was not given in time. Default 2. */
  readonly retries?: number;
  /** How many tenants may fail before no other is begun. Default 0: the first failure halts. */
  readonly maxFailures?: number;
  /** Called after each wave but the last. What it throws halts the run. */
  readonly afterWave?: (wave: string, soFar: Pick<FleetReport, 'done' | 'failed'>) => unknown;
  /** Called after each tenant, for a progress bar. */
  readonly onProgress?: (finished: number, total: number) => void;
  /** Called with the run's id once it has begun. Not called when there is nothing to do. */
  readonly onBegin?: (runId: string) => void;
  /** Wait for another run to end instead of failing. Default false. */
  readonly wait?: boolean;
}

export interface CheckedFleetOptions extends FleetMigrationOptions {
  readonly concurrency: number;
  readonly lockTimeoutMs: number;
  readonly retries: number;
  readonly maxFailures: number;
}

/** With defaults. Throws `RangeError` naming what is out of bounds. */
export function checkFleetOptions(options: FleetMigrationOptions, poolSize: number): CheckedFleetOptions {
  const checked = {
    ...options,
    concurrency: options.concurrency ?? Math.min(4, poolSize),
    lockTimeoutMs: options.lockTimeoutMs ?? 5_000,
    retries: options.retries ?? 2,
    maxFailures: options.maxFailures ?? 0,
  };
  requireInteger('concurrency', checked.concurrency, 1);
  requireInteger('lockTimeoutMs', checked.lockTimeoutMs, 1);
  requireInteger('retries', checked.retries, 0);
  requireInteger('maxFailures', checked.maxFailures, 0);
  checkWaves(options);
  return checked;
}

export function requireInteger(name: string, value: number, from: number): void {
  if (Number.isInteger(value) && value >= from) return;
  throw new RangeError(`${name} must be an integer from ${from}, got ${String(value)}.`);
}
