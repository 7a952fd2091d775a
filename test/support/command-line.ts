import { type ChildProcess, execFile, type ExecFileException, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Options, transformSync } from '@swc/core';
import config from '../../jest.config';
import { cleanEnvironment, REPOSITORY } from './commands';
import type { WarmRequest } from './warm/warm-program';

const [[, swcOptions]] = Object.values(config.transform!) as [[string, Options]];

/** What the program said, and what it ended with. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line as it is installed, beside an application that it can be pointed at. */
export interface CommandLine {
  /** Where commands run: the application’s directory. */
  readonly directory: string;
  readonly program: string;
  /** `tenancy <args>` in a process of its own; whatever it ends with. */
  spawn(
    args: readonly string[],
    environment?: Record<string, string>,
    stdin?: string,
  ): Promise<CommandResult>;
  /** The same in a process that has run others before. One at a time, and without stdin. */
  run(args: readonly string[], environment?: Record<string, string>): Promise<CommandResult>;
  remove(): Promise<void>;
}

/**
 * The library, compiled from its sources as a package in `node_modules`, and `applications`, folders of TypeScript by
 * the names that they have then.
 */
export function buildCommandLine(applications: Readonly<Record<string, string>>): CommandLine {
  const directory = join(REPOSITORY, '.data', `command-line-${process.pid}`);
  const library = join(directory, 'node_modules/nestjs-tenancy');
  rmSync(directory, { recursive: true, force: true });
  compile(join(REPOSITORY, 'lib'), join(library, 'dist'));
  cpSync(join(REPOSITORY, 'package.json'), join(library, 'package.json'));
  for (const [name, folder] of Object.entries(applications)) compile(folder, join(directory, name));
  compile(join(__dirname, 'warm'), join(directory, 'warm'));
  writeFileSync(join(directory, 'package.json'), '{}');
  const program = join(library, 'dist/cli/main.js');
  const warm = new WarmProgram(directory, program);
  return {
    directory,
    program,
    spawn: (args, environment, stdin) => execute(directory, [program, ...args], environment, stdin),
    run: (args, environment) => warm.run({ args, environment: cleanEnvironment(environment) }),
    remove: async () => {
      await warm.end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

class WarmProgram {
  #child: ChildProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly directory: string,
    private readonly program: string,
  ) {}

  run(request: WarmRequest): Promise<CommandResult> {
    const answer = this.#last.then(() => this.#ask(request));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async end(): Promise<void> {
    if (!this.#child) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }

  async #ask(request: WarmRequest): Promise<CommandResult> {
    this.#child ??= fork(join(this.directory, 'warm/warm-program.js'), [this.program], {
      cwd: this.directory,
      env: cleanEnvironment(),
      execArgv: [],
    });
    const child = this.#child;
    const over = new AbortController();
    const ended = once(child, 'close', over).then(([code]) => {
      this.#child = undefined;
      throw new Error(`The command line ended with ${code}: ${request.args.join(' ')}`);
    });
    ended.catch(() => undefined);
    const answered = once(child, 'message', over);
    child.send(request);
    try {
      return ((await Promise.race([answered, ended])) as [CommandResult])[0];
    } finally {
      over.abort();
    }
  }
}

function compile(from: string, to: string): void {
  const files = readdirSync(from, { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((each) => each.endsWith('.ts') && !each.endsWith('.spec.ts'))) {
    const { code } = transformSync(readFileSync(join(from, file), 'utf8'), {
      ...swcOptions,
      // An import() stays one, as tsc leaves it: it must load ES modules.
      module: { type: 'commonjs', ignoreDynamic: true },
      swcrc: false,
    });
    const target = join(to, file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, code);
  }
}

function execute(
  cwd: string,
  args: readonly string[],
  environment: Record<string, string> = {},
  stdin = '',
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = { cwd, env: cleanEnvironment(environment), maxBuffer: 64 * 1024 * 1024 };
    const child = execFile(
      process.execPath,
      args,
      options,
      (error: ExecFileException | null, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : error ? -1 : 0;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.end(stdin);
  });
}
