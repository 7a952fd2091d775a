import { Command } from 'nest-commander';
import { CommandGroup } from '../command-group';
import { MigrateAcknowledgeCommand } from './migrate-acknowledge.command';
import { MigrateDownCommand, MigrateUpCommand } from './migrate-fleet.commands';
import { MigratePlanCommand } from './migrate-plan.command';
import { MigrateResolveCommand } from './migrate-resolve.command';
import { MigrateStatusCommand } from './migrate-status.command';

@Command({
  name: 'migrate',
  description: 'migrate all tenants to the version of the code, or back',
  subCommands: [
    MigrateUpCommand,
    MigrateDownCommand,
    MigrateStatusCommand,
    MigratePlanCommand,
    MigrateResolveCommand,
    MigrateAcknowledgeCommand,
  ],
})
export class MigrateCommand extends CommandGroup {}
