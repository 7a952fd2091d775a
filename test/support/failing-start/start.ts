import { spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';
import { cleanEnvironment, programArguments, REPOSITORY } from '../commands';

export interface FailedStart {
  readonly exitCode: number | null;
  /** What was printed on both streams, without colours, without what Nest logs of a start that goes on, and without its prefix. */
  readonly lines: readonly string[];
}

/** Runs an application of `faults.ts` in a process of its own, until it ends. */
export async function startToFail(fault: string, environment: Record<string, string>): Promise<FailedStart> {
  const child = spawn(process.execPath, programArguments('test/support/failing-start/main.ts', fault), {
    env: cleanEnvironment(environment),
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  // What a source map of TypeORM's makes of its own places.
  const foreign = `${REPOSITORY}/src/`;
  const lines = stripVTControlCharacters(printed)
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.includes(foreign) && !/^\[Nest\] \d+ .* LOG \[/.test(line))
    .map((line) => line.replace(/^\[Nest\] \d+ {2}- [^A-Z]*[AP]M +/, '').replace(/ \+\d+ms$/, ''));
  return { exitCode, lines };
}
