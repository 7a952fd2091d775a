import { execFile } from 'node:child_process';
import { join } from 'node:path';

export const REPOSITORY = join(__dirname, '../..');

/** Variables of this run that would make a program behave otherwise than at its user's. */
const OURS = /^(npm_|NODE_ENV$|JEST_|DATABASE_URL$|TEST_SERVER_URL$|PORT$|TENANCY_|PG)/;

export function cleanEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name))),
    ...extra,
  };
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
