import { Injectable } from '@nestjs/common';
import { CommandRunner } from 'nest-commander';
import { CommandLineError } from './cli.errors';
import { reportFailure } from './report-failure';
import { Terminal } from './terminal';

type Command = Parameters<CommandRunner['setCommand']>[0];

/** A command that is only the name of others. */
@Injectable()
export abstract class CommandGroup extends CommandRunner {
  constructor(private readonly terminal: Terminal) {
    super();
  }

  override setCommand(command: Command): this {
    command.exitOverride().allowUnknownOption();
    return super.setCommand(command);
  }

  override run([name]: string[]): Promise<void> {
    const known = this.command.commands.map((each) => each.name()).join(', ');
    const error = new CommandLineError(
      name === undefined
        ? `Say what to do: tenancy ${this.command.name()} ${known}.`
        : `There is no command "${this.command.name()} ${name}". There are: ${known}.`,
    );
    reportFailure(this.terminal, error, { json: process.argv.includes('--json') });
    return Promise.resolve();
  }
}
