import { Injectable } from '@nestjs/common';
import { EXIT } from './exit-codes';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Signals such as Ctrl-C end the program at once, except during work that must be undone. */
@Injectable()
export class Interrupts {
  /** Returns the result of `work`. The first signal aborts it, a second one ends the program at once. */
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
