import { Command } from 'nest-commander';
import { TenantTimers } from '../schedule/tenant-timers';
import type { TenantTimerRun, TenantTimerStatus } from '../schedule/timer-report';
import { EXIT } from './exit-codes';
import { printable } from './printable';
import { table } from './table';
import { type Answer, type CommonOptions, TenancyCommand } from './tenancy-command';

@Command({
  name: 'timers',
  description: 'tell what the last run of each timer came to, and which tenants failed in it',
})
export class TimersCommand extends TenancyCommand {
  protected readonly examples = ['tenancy timers', 'tenancy timers --json'];

  protected async work(_args: readonly string[], options: CommonOptions): Promise<Answer> {
    const timers = await this.application.get(TenantTimers, 'look', options, 'TenancyScheduleModule');
    const found = await timers.list();
    const failures = found.flatMap(({ lastRun }) => (lastRun ? failuresOf(lastRun) : []));
    return {
      value: { timers: found.map(withNulls) },
      text: found.length === 0 ? 'No timers.' : [toTable(found), ...failures].join('\n'),
      exitCode: failures.length > 0 ? EXIT.findings : EXIT.done,
    };
  }
}

/** JSON leaves out what is `undefined`, and a script should see what there may be. */
function withNulls({ nextAt, skippedAt, lastRun, ...timer }: TenantTimerStatus): object {
  const run = lastRun && {
    ...lastRun,
    error: lastRun.error ?? null,
    finishedAt: lastRun.finishedAt ?? null,
  };
  return { ...timer, nextAt: nextAt ?? null, skippedAt: skippedAt ?? null, lastRun: run ?? null };
}

function toTable(timers: readonly TenantTimerStatus[]): string {
  return table(
    ['timer', 'expression', 'time zone', 'next', 'last', 'state', 'tenants', 'failed', 'skipped'],
    timers.map(({ name, expression, timeZone, nextAt, skipped, lastRun }) => [
      ...[name, expression, timeZone, timeOf(nextAt), timeOf(lastRun?.fireAt)],
      ...[lastRun?.state ?? '-', `${lastRun?.visited ?? '-'}`, `${lastRun?.failed ?? '-'}`, `${skipped}`],
    ]),
  );
}

/** Fires are whole seconds. */
function timeOf(date: Date | undefined): string {
  return date ? date.toISOString().replace('.000Z', 'Z') : '-';
}

function failuresOf({ name, failed, failures, error }: TenantTimerRun): string[] {
  const more = failed - failures.length;
  return [
    ...failures.map((each) => `${name}: ${each.slug}: ${each.error}`),
    ...(more > 0 ? [`${name}: and ${more} more`] : []),
    ...(error === undefined ? [] : [`${name}: broke off: ${error}`]),
  ].map(printable);
}
