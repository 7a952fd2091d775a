import { Option, SubCommand } from 'nest-commander';
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
  protected readonly examples = [
    'tenancy migrate down',
    'tenancy migrate down --yes --max-failures 5',
    'tenancy migrate down --shared reference',
  ];

  @Option({ flags: '--shared <schema>', description: 'the last one of this shared schema instead' })
  parseShared(schema: string): string {
    return schema;
  }

  protected async work(_args: readonly string[], options: DownOptions): Promise<Answer> {
    const { shared } = options;
    if (shared !== undefined) return this.#takeBackShared(shared, options);
    await this.confirmation.ask(
      'revert the last migration in every tenant, with the data that it added',
      options,
    );
    const migrator = await this.application.get(FleetMigrator, 'look', options);
    return this.visit('reverting', options, (fleet) => migrator.down(fleet));
  }

  async #takeBackShared(schema: string, options: DownOptions): Promise<Answer> {
    const what = `revert the last migration of the shared schema ${JSON.stringify(schema)}, with the data that it added`;
    await this.confirmation.ask(what, options);
    const migrator = await this.application.get(FleetMigrator, 'look', options);
    const reverted = `${schema}: ${await migrator.downShared(schema)}`;
    return { value: { shared: [reverted] }, text: `taken back: ${reverted}` };
  }
}

interface DownOptions extends FleetCommandOptions {
  readonly shared?: string;
}
