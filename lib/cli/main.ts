#!/usr/bin/env node
import { isAbsentPackage } from '../common/absent-package';
import { markTenancyCli } from '../common/tenancy-cli';
import { EXIT } from './exit-codes';
import { Terminal } from './terminal';

async function main(): Promise<void> {
  // If nothing is left to wait for before the work is done, the program has failed.
  process.exitCode = EXIT.failed;
  const terminal = Terminal.take();
  markTenancyCli();
  try {
    const { run } = await import('./run.js');
    await run(terminal);
  } catch (error) {
    terminal.exitCode = EXIT.failed;
    if (isAbsentPackage(error, 'nest-commander')) {
      terminal.exitCode = EXIT.usage;
      terminal.tell(
        'The package "nest-commander" is not installed. It is an optional peer dependency, which only the command line ' +
          'needs: npm install nest-commander',
      );
    } else {
      terminal.tell(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }
  terminal.exit();
}

void main();
