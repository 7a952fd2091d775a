import { createInterface } from 'node:readline/promises';
import { Injectable } from '@nestjs/common';
import { NotConfirmedError } from './cli.errors';
import { printable } from './printable';
import { Terminal } from './terminal';

/** Asks the user before something is destroyed. */
@Injectable()
export class Confirmation {
  constructor(private readonly terminal: Terminal) {}

  /** Resolves when the user says yes, or has said so by `--yes`. @throws NotConfirmedError when the user does not */
  async ask(what: string, { yes = false }: { readonly yes?: boolean }): Promise<void> {
    if (yes) return;
    if (!this.terminal.isInteractive) {
      throw new NotConfirmedError(
        `this would ${what}, and there is no terminal to ask. Add --yes to confirm it.`,
      );
    }
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    // Ctrl-C and Ctrl-D close the terminal's line, and the question is never answered.
    const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
    try {
      const answer = await Promise.race([
        terminal.question(`This will ${printable(what)}. Go on? [y/N] `),
        closed,
      ]);
      if (!/^y(es)?$/i.test(answer.trim())) throw new NotConfirmedError('you did not say yes.');
    } finally {
      terminal.close();
    }
  }
}
