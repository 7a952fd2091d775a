import type { BenchOptions } from './bench-options';
import type { DatabaseContents } from './bench-database';
import type { BenchServer } from './bench-server';
import type { CleanUp } from './clean-up';

/** One question put to several variants of the same work. */
export interface Bench {
  /** One line for the list of benches. */
  readonly about: string;
  /** A database that is built once and kept, if it takes long to build. */
  contents?(progress: (line: string) => void, options: BenchOptions): DatabaseContents;
  run(environment: BenchEnvironment): Promise<BenchResult>;
}

export interface BenchEnvironment {
  readonly options: BenchOptions;
  readonly server: BenchServer;
  readonly cleanUp: CleanUp;
  /** Tells people how far it is; never on standard output, which belongs to the result. */
  progress(line: string): void;
}

export interface BenchResult {
  readonly rows: readonly Row[];
  readonly ratios: Readonly<Record<string, number>>;
}

/** The median of a variant's rounds. */
export interface Row {
  readonly variant: string;
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly [column: string]: string | number;
}

/** A variant answered with another tenant's row, or with the wrong one: its speed is worth nothing. */
export class WrongAnswerError extends Error {
  constructor(variant: string, expected: unknown, actual: unknown) {
    super(
      `${variant} gave a wrong answer: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}.`,
    );
  }
}
