import { Option } from 'nest-commander';
import type { FleetMigrationOptions } from '../../migrations/fleet-migrator.options';
import type { FleetReport } from '../../migrations/fleet-report';
import { CommandLineError } from '../cli.errors';
import { EXIT } from '../exit-codes';
import { integer } from '../option-values';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';

export interface FleetCommandOptions extends CommonOptions {
  readonly canary?: readonly string[] | number;
  readonly percents?: readonly number[];
  readonly concurrency?: number;
  readonly lockTimeout?: number;
  readonly retries?: number;
  readonly maxFailures?: number;
  readonly wait?: boolean;
}

/** A command that works on all tenants of the fleet. */
export abstract class FleetCommand extends TenancyCommand<FleetCommandOptions> {
  @Option({
    flags: '--canary <slugs|n>',
    description: 'these tenants first, or this many of the oldest of each server: acme,globex',
  })
  parseCanary(canary: string): readonly string[] | number {
    return /^\d+$/.test(canary) ? integer('--canary', canary, 0) : canary.split(',');
  }

  @Option({
    flags: '--percents <list>',
    description: 'then these percentages of each server, wave by wave: 10,50',
  })
  parsePercents(percents: string): readonly number[] {
    return percents.split(',').map((each) => integer('--percents', each, 1, 99));
  }

  @Option({ flags: '--concurrency <n>', description: 'tenants at once, from 1 (default: 4)' })
  parseConcurrency(concurrency: string): number {
    return integer('--concurrency', concurrency, 1);
  }

  @Option({
    flags: '--lock-timeout <ms>',
    description: 'how long a statement waits for a lock (default: 5000)',
  })
  parseLockTimeout(ms: string): number {
    return integer('--lock-timeout', ms, 1);
  }

  @Option({
    flags: '--retries <n>',
    description: 'how often to retry after a deadlock or a lock timeout (default: 2)',
  })
  parseRetries(retries: string): number {
    return integer('--retries', retries, 0);
  }

  @Option({ flags: '--max-failures <n>', description: 'tenants that may fail before it halts (default: 0)' })
  parseMaxFailures(failures: string): number {
    return integer('--max-failures', failures, 0);
  }

  @Option({ flags: '--wait', description: 'wait for another run to end, instead of failing' })
  parseWait(): boolean {
    return true;
  }

  /** Runs `visit` with progress, and returns its report. Waves and failures decide the exit code. */
  protected async visit(
    what: string,
    { lockTimeout: lockTimeoutMs, json, ...options }: FleetCommandOptions,
    visit: (options: FleetMigrationOptions) => Promise<FleetReport>,
  ): Promise<Answer> {
    const gauge = this.progress.begin(what, { json });
    try {
      const { canary, percents, concurrency, retries, maxFailures, wait } = options;
      const report = await visit({
        ...{ canary, percents, concurrency, lockTimeoutMs, retries, maxFailures, wait },
        onProgress: (finished, total) => gauge.update(finished, total),
      });
      const exitCode = report.state === 'done' ? EXIT.done : EXIT.findings;
      return { value: report, text: toText(report), exitCode };
    } catch (error) {
      throw error instanceof RangeError ? new CommandLineError(error.message, { cause: error }) : error;
    } finally {
      gauge.end();
    }
  }
}

function toText({
  direction,
  state,
  shared,
  template,
  done,
  skipped,
  failed,
  notReached,
  halted,
  warnings,
  ms,
}: FleetReport): string {
  const onTemplate = direction === 'down' ? 'taken back from the template' : 'template';
  return [
    ...warnings.map((warning) => `! ${warning}`),
    ...(shared.length > 0 ? [`shared: ${shared.join(', ')}`] : []),
    ...(template.length > 0 ? [`${onTemplate}: ${template.join(', ')}`] : []),
    ...failed.flatMap(({ slug, migration, message, statement }) => [
      `✗ ${slug}: ${migration}: ${message}`,
      ...(statement === undefined ? [] : [`    ${statement}`]),
    ]),
    `${state}: ${done} done, ${skipped} skipped, ${failed.length} failed, ${notReached} not reached, in ${ms} ms`,
    ...(halted === undefined ? [] : [`halted: ${halted}`]),
  ].join('\n');
}
