import { Injectable } from '@nestjs/common';
import { EXIT } from './exit-codes';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ctrl-C and its kin: they end the program at once, except in work that has something to undo. */
@Injectable()
export class Interrupts {
  /** What `work` gives. A first signal aborts it, a second one ends the program there and then. */
  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const interrupt = () => {
      if (controller.signal.aborted) process.exit(EXIT.interrupted);
      controller.abort();
    };
    for (const signal of SIGNALS) process.on(signal, interrupt);
    try {
      return await work(controller.signal);
    } finally {
      for (const signal of SIGNALS) process.off(signal, interrupt);
    }
  }
}
