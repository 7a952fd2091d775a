import { SubCommand } from 'nest-commander';
import { FleetMigrator } from '../../migrations/fleet-migrator';
import type { FleetStatus } from '../../migrations/fleet-status';
import { DEFAULT_SERVER } from '../../placement/place';
import { EXIT } from '../exit-codes';
import { table } from '../table';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';

@SubCommand({
  name: 'status',
  description: 'tell how far each migration has come, and what stands in the way',
})
export class MigrateStatusCommand extends TenancyCommand {
  protected readonly examples = [
    'tenancy migrate status',
    'tenancy migrate status --json || tenancy migrate up',
  ];

  protected async work(_args: readonly string[], options: CommonOptions): Promise<Answer> {
    const status = await (await this.application.get(FleetMigrator, 'look', options)).status();
    const isDone =
      status.behind === 0 &&
      status.migrations.every(({ template }) => template) &&
      status.shared.every(({ done }) => done);
    const exitCode = isDone && status.troubles.length === 0 ? EXIT.done : EXIT.findings;
    return { value: status, text: toText(status), exitCode };
  }
}

function toText({
  tenants,
  behind,
  migrations,
  shared,
  troubles,
  troubleCount,
  lastRun,
  warnings,
}: FleetStatus): string {
  const reach = migrations.map(({ name, template, lackedBy, tenants: seen }) => [
    name,
    // With one server it says nothing that this server lacks it.
    template
      ? 'yes'
      : lackedBy.every((server) => server === DEFAULT_SERVER)
        ? 'no'
        : `not on ${lackedBy.join(', ')}`,
    `${seen} of ${tenants}`,
  ]);
  return [
    ...warnings.map((warning) => `! ${warning}`),
    table(['migration', 'template', 'tenants'], reach),
    ...shared.map(({ schema, name, done }) => `${schema}: ${name}: ${done ? 'done' : 'pending'}`),
    ...troubles.map(
      ({ tenantId, slug, server, migration, state, error }) =>
        `✗ ${slug ?? tenantId ?? 'the template'}${server === undefined ? '' : ` on ${server}`}: ${migration} ${state}: ${error ?? 'no error was stored'}`,
    ),
    ...(troubleCount > troubles.length ? [`✗ and ${troubleCount - troubles.length} more`] : []),
    ...(lastRun === null ? [] : [`last run: ${lastRun.direction}, ${lastRun.state}, by ${lastRun.holder}`]),
    `behind: ${behind} of ${tenants} tenants`,
  ].join('\n');
}
