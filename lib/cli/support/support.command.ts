import { Command } from 'nest-commander';
import { CommandGroup } from '../command-group';
import { EnterSupportCommand } from './enter-support.command';

@Command({
  name: 'support',
  description: 'enter tenants to help them, in an application with TenancyMembersModule',
  subCommands: [EnterSupportCommand],
})
export class SupportCommand extends CommandGroup {}
