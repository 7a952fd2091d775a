import { SubCommand } from 'nest-commander';
import { FleetMigrator } from '../../migrations/fleet-migrator';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';

@SubCommand({
  name: 'acknowledge',
  arguments: '<migration>',
  description: 'say that you know of a migration that was edited after it ran',
})
export class MigrateAcknowledgeCommand extends TenancyCommand {
  protected readonly examples = [
    'tenancy migrate acknowledge CreateOrders1700000000000   # no more warnings, until it is edited again',
  ];

  protected async work([migration]: readonly string[], options: CommonOptions): Promise<Answer> {
    const migrator = await this.application.get(FleetMigrator, 'look', options);
    const acknowledged = await migrator.acknowledge(migration);
    return {
      value: { acknowledged },
      text: acknowledged ? `acknowledged: ${migration}` : 'It was not edited.',
    };
  }
}
