import { SubCommand } from 'nest-commander';
import { FleetMigrator } from '../../migrations/fleet-migrator';
import type { Answer } from '../tenancy-command';
import { FleetCommand, type FleetCommandOptions } from './fleet-command';

@SubCommand({
  name: 'up',
  description: 'run what is pending: on the registry, on the template, then on every tenant',
})
export class MigrateUpCommand extends FleetCommand {
  protected readonly examples = [
    'tenancy migrate up',
    'tenancy migrate up --canary acme --percents 10,50 --concurrency 8 --json',
  ];

  protected async work(_args: readonly string[], options: FleetCommandOptions): Promise<Answer> {
    const migrator = await this.application.get(FleetMigrator, 'migrate', options);
    return this.visit('migrating', options, (fleet) => migrator.up(fleet));
  }
}

@SubCommand({
  name: 'down',
  description: 'take the last migration back: from every tenant, then from the template',
})
export class MigrateDownCommand extends FleetCommand {
  protected readonly examples = ['tenancy migrate down', 'tenancy migrate down --yes --max-failures 5'];

  protected async work(_args: readonly string[], options: FleetCommandOptions): Promise<Answer> {
    await this.confirmation.ask(
      'take the last migration back from every tenant, with the data it brought',
      options,
    );
    const migrator = await this.application.get(FleetMigrator, 'look', options);
    return this.visit('reverting', options, (fleet) => migrator.down(fleet));
  }
}
