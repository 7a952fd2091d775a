import { Injectable } from '@nestjs/common';
import { isAbsentPackage } from '../common/absent-package';
import { printable } from './printable';
import { Terminal } from './terminal';

/** Shows the progress of work on stderr. */
export interface ProgressBar {
  update(done: number, total: number): void;
  end(): void;
}

/** Without a terminal, a line is printed after each tenth of the work. */
const STEPS = 10;

@Injectable()
export class Progress {
  constructor(private readonly terminal: Terminal) {}

  /** A bar on a terminal if `cli-progress` is installed, else plain lines; with `json` nothing. */
  begin(what: string, { json = false }: { readonly json?: boolean }): ProgressBar {
    if (json) return { update: () => undefined, end: () => undefined };
    const bars = process.stderr.isTTY ? loadBars() : undefined;
    return bars ? bar(what, bars) : this.#lines(what);
  }

  #lines(what: string): ProgressBar {
    let told = 0;
    return {
      update: (done, total) => {
        const step = total === 0 ? STEPS : Math.floor((done * STEPS) / total);
        if (step <= told) return;
        told = step;
        this.terminal.tell(`${what}: ${done} of ${total}`);
      },
      end: () => undefined,
    };
  }
}

function bar(what: string, { SingleBar, Presets }: typeof import('cli-progress')): ProgressBar {
  const single = new SingleBar(
    {
      format: `${printable(what)} {bar} {value}/{total} {eta_formatted}`,
      stream: process.stderr,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  let isStarted = false;
  return {
    update: (done, total) => {
      if (!isStarted) single.start(total, done);
      isStarted = true;
      single.setTotal(total);
      single.update(done);
    },
    end: () => single.stop(),
  };
}

function loadBars(): typeof import('cli-progress') | undefined {
  try {
    return require('cli-progress') as typeof import('cli-progress');
  } catch (error) {
    if (isAbsentPackage(error, 'cli-progress')) return undefined;
    throw error;
  }
}
