import { execFile, type ExecFileException } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Options, transformSync } from '@swc/core';
import config from '../../jest.config';
import { cleanEnvironment, REPOSITORY } from './commands';

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
  /** `tenancy <args>`; whatever it ends with. */
  run(args: readonly string[], environment?: Record<string, string>, stdin?: string): Promise<CommandResult>;
  remove(): void;
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
  writeFileSync(join(directory, 'package.json'), '{}');
  const program = join(library, 'dist/cli/main.js');
  return {
    directory,
    program,
    run: (args, environment, stdin) => execute(directory, [program, ...args], environment, stdin),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
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
