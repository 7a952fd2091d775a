import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';

export const REPOSITORY = join(__dirname, '../..');

/** Variables of this run that would make a program behave otherwise than at its user's. */
const OURS = /^(npm_|NODE_ENV$|JEST_|DATABASE_URL$|TEST_SERVER_URL$|PORT$|TENANCY_|PG)/;

export function cleanEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name))),
    ...extra,
  };
}

/** What Node is given to run a program of the tests in a process of its own, on the Nest of the run. */
export function programArguments(program: string, ...args: readonly string[]): string[] {
  const nest = dirname(dirname(require.resolve('@nestjs/core/package.json')));
  return ['-r', 'esbuild-register', join(REPOSITORY, 'test/support/run-program.ts'), nest, program, ...args];
}

/** What the command printed. Throws with all that it printed when it fails. */
export function run(
  directory: string,
  command: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const options = { cwd: directory, env: cleanEnvironment(environment), maxBuffer: 64 * 1024 * 1024 };
    execFile(command, args, options, (error, stdout, stderr) => {
      if (!error) return resolve({ stdout, stderr });
      reject(new Error(`${command} ${args.join(' ')}: ${error.message}\n${stdout}\n${stderr}`));
    });
  });
}
