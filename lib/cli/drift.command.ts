import { Command, Option } from 'nest-commander';
import type { DriftReport, TenantDrift } from '../migrations/drift-report';
import { FleetDrift } from '../migrations/fleet-drift';
import { EXIT } from './exit-codes';
import { integer } from './option-values';
import { printable } from './printable';
import { type Answer, type CommonOptions, TenancyCommand } from './tenancy-command';

interface DriftCommandOptions extends CommonOptions {
  readonly tenant?: readonly string[];
  readonly repair?: boolean;
  readonly concurrency?: number;
  readonly limit?: number;
  readonly lockTimeout?: number;
}

@Command({
  name: 'drift',
  description: 'tell in words how tenants differ from the template, with the SQL that would correct it',
})
export class DriftCommand extends TenancyCommand<DriftCommandOptions> {
  protected readonly examples = [
    'tenancy drift',
    'tenancy drift --tenant acme --json',
    'tenancy drift --repair --yes   # only what is safe: nothing that may hold data is dropped',
  ];

  @Option({ flags: '-t, --tenant <tenant>', description: 'only this one; may be repeated' })
  parseTenant(tenant: string, tenants: readonly string[] = []): readonly string[] {
    return [...tenants, tenant];
  }

  @Option({ flags: '--repair', description: 'run the repairs that are safe' })
  parseRepair(): boolean {
    return true;
  }

  @Option({ flags: '--concurrency <n>', description: 'sessions that look at once (default: 2)' })
  parseConcurrency(concurrency: string): number {
    return integer('--concurrency', concurrency, 1);
  }

  @Option({ flags: '--limit <n>', description: 'tenants that are told one by one (default: 100)' })
  parseLimit(limit: string): number {
    return integer('--limit', limit, 0);
  }

  @Option({ flags: '--lock-timeout <ms>', description: 'how long a repair waits for a lock (default: 5000)' })
  parseLockTimeout(ms: string): number {
    return integer('--lock-timeout', ms, 1);
  }

  protected async work(_args: readonly string[], options: DriftCommandOptions): Promise<Answer> {
    const { tenant: tenants, repair, concurrency, limit, lockTimeout: lockTimeoutMs } = options;
    if (repair)
      await this.confirmation.ask('change the schemas of tenants that differ from the template', options);
    const drift = await this.application.get(FleetDrift, 'look', options);
    const wanted = { tenants, concurrency, limit };
    const report = await (repair ? drift.repair({ ...wanted, lockTimeoutMs }) : drift.check(wanted));
    const isClear = report.drifted === 0 && report.halted === undefined;
    const exitCode = isClear ? EXIT.done : EXIT.findings;
    return { value: report, text: toText(report), exitCode };
  }
}

function toText({ checked, drifted, repaired, tenants, halted }: DriftReport): string {
  const untold = drifted - tenants.filter(({ differences }) => differences.length > 0).length;
  return [
    ...tenants.map(describe),
    ...(untold > 0 ? [`and ${untold} more that differ: --limit says how many are listed`] : []),
    `checked: ${checked}, differ: ${drifted}, repaired: ${repaired}`,
    ...(halted === undefined ? [] : [`halted: ${halted}`]),
  ].join('\n');
}

function describe({ slug, pending, differences, repaired, error }: TenantDrift): string {
  return [
    `${slug}:`,
    ...(pending.length > 0 ? [`  lacks ${pending.join(', ')}: run tenancy migrate up first`] : []),
    ...repaired.map((statement) => `  repaired: ${statement}`),
    ...differences.flatMap(({ sentences, repair, isSafe }) => [
      ...sentences.map((sentence) => `  ${sentence}`),
      ...(repair ?? []).map((statement) => `    ${statement};${isSafe ? '' : '   -- not by --repair'}`),
    ]),
    ...(error === undefined ? [] : [`  the repair failed: ${printable(error)}`]),
  ].join('\n');
}
