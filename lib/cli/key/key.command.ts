import { Command } from 'nest-commander';
import { CommandGroup } from '../command-group';
import { CreateKeyCommand } from './create-key.command';

@Command({
  name: 'api-key',
  description: 'make API keys for tenants, in an application with TenancyAccessModule',
  subCommands: [CreateKeyCommand],
})
export class KeyCommand extends CommandGroup {}
