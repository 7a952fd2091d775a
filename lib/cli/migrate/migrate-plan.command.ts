import { SubCommand } from 'nest-commander';
import { FleetMigrator } from '../../migrations/fleet-migrator';
import type {
  MigrationPlan,
  PlannedMigration,
  PlannedSharedMigration,
  Rehearsal,
} from '../../migrations/migration-plan';
import { EXIT } from '../exit-codes';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';

@SubCommand({ name: 'plan', description: 'tell what up would do, with its SQL, and do nothing' })
export class MigratePlanCommand extends TenancyCommand {
  protected readonly examples = ['tenancy migrate plan', 'tenancy migrate plan --json'];

  protected async work(_args: readonly string[], options: CommonOptions): Promise<Answer> {
    const plan = await (await this.application.get(FleetMigrator, 'look', options)).plan();
    const isClear = [...plan.shared, ...plan.migrations].every(({ problems }) => problems.length === 0);
    return { value: plan, text: toText(plan), exitCode: isClear ? EXIT.done : EXIT.findings };
  }
}

function toText({ shared, migrations, warnings }: MigrationPlan): string {
  const all = [...shared.map(describeShared), ...migrations.map(describe)];
  const told = all.length > 0 ? all : ['Nothing to do.'];
  return [...warnings.map((warning) => `! ${warning}`), ...told].join('\n');
}

function describeShared({ schema, name, ...rehearsal }: PlannedSharedMigration): string {
  return [`${schema}: ${name}: once in the database`, ...linesOf(rehearsal)].join('\n');
}

function describe({ name, transaction, template, tenants, ...rehearsal }: PlannedMigration): string {
  const where = [...(template ? ['the template'] : []), `${tenants} tenants`].join(' and ');
  const outside = transaction ? '' : ', outside of a transaction';
  return [`${name}: on ${where}${outside}`, ...linesOf(rehearsal)].join('\n');
}

function linesOf({ sql, note, problems }: Rehearsal): string[] {
  return [
    ...(sql?.map((statement) => `    ${statement};`) ?? []),
    ...(note === undefined ? [] : [`    ${note}`]),
    ...problems.map((problem) => `  ✗ ${problem}`),
  ];
}
