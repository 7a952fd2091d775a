import type { FleetReport } from './fleet-report';
import { checkArguments } from '../common/options/check-options';
import { anything, callback, flag } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { MAX_CONCURRENCY } from '../context/tenant-context';
import { checkWaves, WaveOptions } from './waves';

export class FleetMigrationOptions extends WaveOptions {
  /** How many tenants are migrated at once: an integer from 1 to 1,000. Default 4, or the pool's size if that is less. */
  @Option(anything<number>())
  readonly concurrency?: number;

  /**
   * How long a statement waits for a lock, in milliseconds from 1. Default 5,000. Requests behind it wait for as long
   * at most.
   */
  @Option(anything<number>())
  readonly lockTimeoutMs?: number;

  /** How often a tenant is tried again after a deadlock or a lock timeout. Default 2. */
  @Option(anything<number>())
  readonly retries?: number;

  /** How many tenants may fail before the run halts and begins no other one. Default 0: the first failure halts it. */
  @Option(anything<number>())
  readonly maxFailures?: number;

  /** Called after each wave except the last. An error that it throws halts the run. */
  @Option(callback<(wave: string, soFar: Pick<FleetReport, 'done' | 'failed'>) => unknown>('give a function'))
  readonly afterWave?: (wave: string, soFar: Pick<FleetReport, 'done' | 'failed'>) => unknown;

  /** Called after each tenant, for a progress bar. */
  @Option(callback<(finished: number, total: number) => void>('give a function'))
  readonly onProgress?: (finished: number, total: number) => void;

  /** Called with the run's id once it has begun, and not when there is nothing to do. */
  @Option(callback<(runId: string) => void>('give a function'))
  readonly onBegin?: (runId: string) => void;

  /** Wait for another run to end instead of failing. Default false. */
  @Option(flag())
  readonly wait?: boolean;
}

export interface CheckedFleetOptions extends FleetMigrationOptions {
  readonly concurrency: number;
  readonly lockTimeoutMs: number;
  readonly retries: number;
  readonly maxFailures: number;
}

/** With defaults. Throws `RangeError` naming what is out of bounds, `TypeError` for what is of another type. */
export function checkFleetOptions(given: FleetMigrationOptions, poolSize: number): CheckedFleetOptions {
  const options = checkArguments('FleetMigrator', FleetMigrationOptions, given);
  const checked = {
    ...options,
    concurrency: options.concurrency ?? Math.min(4, poolSize),
    lockTimeoutMs: options.lockTimeoutMs ?? 5_000,
    retries: options.retries ?? 2,
    maxFailures: options.maxFailures ?? 0,
  };
  requireInteger('concurrency', checked.concurrency, 1, MAX_CONCURRENCY);
  requireInteger('lockTimeoutMs', checked.lockTimeoutMs, 1);
  requireInteger('retries', checked.retries, 0);
  requireInteger('maxFailures', checked.maxFailures, 0);
  checkWaves(options);
  return checked;
}

export function requireInteger(name: string, value: number, from: number, to = Infinity): void {
  if (Number.isInteger(value) && value >= from && value <= to) return;
  const range = to === Infinity ? `${from}` : `${from} to ${to}`;
  throw new RangeError(`${name} must be an integer from ${range}, got ${String(value)}.`);
}
