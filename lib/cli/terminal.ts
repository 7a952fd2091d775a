import { Writable } from 'node:stream';
import { printableLines } from './printable';

/**
 * The program's way to its user: results go to stdout, all else to stderr. What is told may hold names, rows and messages
 * that a stranger has chosen, so no text reaches the terminal with anything in it that a terminal obeys.
 */
export class Terminal {
  /** What the program will end with. */
  exitCode = 0;
  readonly #write: typeof process.stdout.write;

  private constructor() {
    this.#write = process.stdout.write.bind(process.stdout);
  }

  /**
   * Takes stdout. Whatever else writes there, such as the application's loggers and `console.log`, is sent to stderr
   * from now on, so that what a script reads is the result and nothing else.
   */
  static take(): Terminal {
    const terminal = new Terminal();
    process.stdout.write = process.stderr.write.bind(process.stderr);
    // The reader of a pipe may have seen enough: `tenancy tenant list | head -1`.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(terminal.exitCode);
      throw error;
    });
    return terminal;
  }

  /** Whether there is a human to ask. */
  get isInteractive(): boolean {
    return process.stdin.isTTY && process.stderr.isTTY;
  }

  /** Whether the result is read on a terminal, rather than by a file or a pipe. */
  get isShown(): boolean {
    return process.stdout.isTTY;
  }

  /** A line of the result. */
  print(text: string): void {
    this.#write(`${printableLines(text)}\n`);
  }

  /** A line about what happens. */
  tell(text: string): void {
    process.stderr.write(`${printableLines(text)}\n`);
  }

  /** stdout for bytes. It waits for who reads them. */
  bytes(): Writable {
    return new Writable({ write: (chunk: Buffer, _encoding, done) => void this.#write(chunk, done) });
  }

  /** Ends the program when all is written. An application may leave connections open that nobody waits for. */
  exit(code = this.exitCode): void {
    this.#write('', () => process.exit(code));
  }
}
