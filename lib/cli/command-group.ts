import { Injectable } from '@nestjs/common';
import { CommandRunner } from 'nest-commander';
import { CommandLineError, OPTIONS_LAST } from './cli.errors';
import { reportFailure } from './report-failure';
import { Terminal } from './terminal';

type Command = Parameters<CommandRunner['setCommand']>[0];

/** A command that only groups other commands. */
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
    reportFailure(this.terminal, new CommandLineError(this.#problem(name, known)), {
      json: process.argv.includes('--json'),
    });
    return Promise.resolve();
  }

  #problem(name: string | undefined, known: string): string {
    const group = this.command.name();
    const isOption = name?.startsWith('-');
    if (name !== undefined && !isOption)
      return `There is no command "${group} ${name}". There are: ${known}.`;
    return `Say what to do: tenancy ${group} ${known}.${isOption ? ` ${OPTIONS_LAST}` : ''}`;
  }
}
