import { TenancyError } from '../common/tenancy.errors';
import { adviceFor } from './advice';
import { OPTIONS_LAST } from './cli.errors';
import { EXIT, exitCodeOf } from './exit-codes';
import type { Terminal } from './terminal';

interface Presentation {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** An error of Commander, which has already printed its message, or the help. */
interface CommanderError {
  readonly code: string;
  readonly exitCode: number;
  readonly message: string;
}

/** Prints what went wrong, and sets the exit code. */
export function reportFailure(terminal: Terminal, error: unknown, { json, verbose }: Presentation): void {
  if (isCommanderError(error)) {
    if (error.exitCode === 0) return;
    terminal.exitCode = EXIT.usage;
    const isAhead = error.code === 'commander.unknownOption' && process.argv[2]?.startsWith('-');
    if (isAhead) terminal.tell(OPTIONS_LAST);
    const message = error.message.replace(/^error: /, '');
    if (json)
      terminal.print(toJson('COMMAND_LINE_INVALID', isAhead ? `${message}. ${OPTIONS_LAST}` : message));
    return;
  }
  terminal.exitCode = exitCodeOf(error);
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
  const isExpected = error instanceof TenancyError;
  terminal.tell(verbose && stack ? stack : `error: ${message}`);
  const advice = isExpected ? adviceFor(error.code) : undefined;
  if (advice !== undefined) terminal.tell(advice);
  if (json) terminal.print(toJson(isExpected ? error.code : 'FAILED', message));
}

function toJson(code: string, message: string): string {
  return JSON.stringify({ error: { code, message } }, null, 2);
}

function isCommanderError(error: unknown): error is CommanderError {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && code.startsWith('commander.');
}
