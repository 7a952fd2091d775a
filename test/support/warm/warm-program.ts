import { createRequire } from 'node:module';
import type { CommandResult } from '../command-line';

/** A command line, as its parent asks for it. */
export interface WarmRequest {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs a program's command lines one after the other in one process, each in what would be its own: to load Nest and
 * TypeORM takes longer than most commands.
 */
const [program] = process.argv.slice(2);
const load = createRequire(__filename);
const node = process.argv[0];

async function run({ args, environment }: WarmRequest): Promise<CommandResult> {
  process.argv = [node, program, ...args];
  process.env = { ...environment };
  process.exitCode = undefined;
  const { exit } = process;
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)];
  try {
    const code = await new Promise<number>((resolve) => {
      process.exit = ((given?: number) => resolve(Number(given ?? process.exitCode ?? 0))) as never;
      delete load.cache[program];
      load(program);
    });
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    process.exit = exit;
    process.exitCode = undefined;
    // Those of the program, which it never takes away.
    process.stdout.removeAllListeners('error');
    for (const each of [stdout, stderr]) each.restore();
  }
}

function capture(stream: NodeJS.WriteStream) {
  const { write } = stream;
  const parts: string[] = [];
  const done = (callback: unknown) => typeof callback === 'function' && setImmediate(callback as () => void);
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
    parts.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    done(rest.at(-1));
    return true;
  };
  return { text: () => parts.join(''), restore: () => void (stream.write = write) };
}

process.on('message', (request: WarmRequest) => {
  void run(request).then((answer) => process.send!(answer));
});
