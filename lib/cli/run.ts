import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFactory } from 'nest-commander';
import { Application } from './application';
import { CliModule } from './cli.module';
import { reportFailure } from './report-failure';
import type { Terminal } from './terminal';

/** Runs the command line, and sets the exit code. */
export async function run(terminal: Terminal): Promise<void> {
  const cli = await CommandFactory.createWithoutRunning(CliModule.on(terminal), {
    logger: ['fatal'],
    abortOnError: false,
    version: ownVersion(),
    outputConfiguration: {
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.tell(text.trimEnd()),
    },
    // Thrown again, so that the caller handles it: Commander would end the program here.
    errorHandler: (error) => {
      throw error;
    },
    serviceErrorHandler: (error) => reportFailure(terminal, error, { json: process.argv.includes('--json') }),
  });
  try {
    await CommandFactory.runApplication(cli);
  } finally {
    await cli.get(Application).close();
    await cli.close();
  }
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}
