import { Injectable } from '@nestjs/common';
import { CommandRunner, Option } from 'nest-commander';
import { Application } from './application';
import { Confirmation } from './confirmation';
import { Interrupts } from './interrupts';
import { Progress } from './progress';
import { reportFailure } from './report-failure';
import { Terminal } from './terminal';

/** Options of every command. */
export interface CommonOptions {
  readonly module?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly verbose?: boolean;
}

/** The result of a command. */
export interface Answer {
  /** For scripts: printed with `--json`. */
  readonly value: unknown;
  /** The same for people; empty to print nothing. */
  readonly text: string;
  /** The exit code. Default 0. */
  readonly exitCode?: number;
}

type Command = Parameters<CommandRunner['setCommand']>[0];

/** A command. Its subclass does the work in `work`; this class prints the result. */
@Injectable()
export abstract class TenancyCommand<Options extends CommonOptions = CommonOptions> extends CommandRunner {
  /** Command lines that `--help` shows. */
  protected abstract readonly examples: readonly string[];

  constructor(
    protected readonly terminal: Terminal,
    protected readonly application: Application,
    protected readonly confirmation: Confirmation,
    protected readonly interrupts: Interrupts,
    protected readonly progress: Progress,
  ) {
    super();
  }

  protected abstract work(args: readonly string[], options: Options): Promise<Answer>;

  override setCommand(command: Command): this {
    // Otherwise Commander would end the program itself.
    command.exitOverride().allowExcessArguments(false);
    command.addHelpText(
      'after',
      () => `\nExamples:\n${this.examples.map((line) => `  $ ${line}`).join('\n')}`,
    );
    return super.setCommand(command);
  }

  override async run(args: string[], options: Options): Promise<void> {
    try {
      const { value, text, exitCode = 0 } = await this.work(args, options);
      this.terminal.exitCode = exitCode;
      if (options.json && value !== undefined) this.terminal.print(JSON.stringify(value, null, 2));
      else if (text !== '') this.terminal.print(text);
    } catch (error) {
      reportFailure(this.terminal, error, options);
    }
  }

  @Option({
    flags: '-m, --module <file#name>',
    description:
      'the application’s root module, compiled (also TENANCY_MODULE, or "tenancy" in package.json)',
  })
  parseModule(module: string): string {
    return module;
  }

  @Option({ flags: '--json', description: 'print one JSON document' })
  parseJson(): boolean {
    return true;
  }

  @Option({ flags: '-y, --yes', description: 'do not ask before something is destroyed' })
  parseYes(): boolean {
    return true;
  }

  @Option({
    flags: '-v, --verbose',
    description: 'tell what the application logs, and where errors come from',
  })
  parseVerbose(): boolean {
    return true;
  }
}
