import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchOptions } from './bench-options';
import { benchmarksPage, type Measured } from './benchmarks-page';
import type { Report } from './report';

const PAGE = 'docs/benchmarks.md';

/** What a network between application and PostgreSQL changes. */
const WITH_DELAY: Readonly<Record<string, readonly string[]>> = { switch: ['--rtt-ms', '1'] };

/** Runs every bench, each in a process of its own, and writes the page of figures anew. */
export async function runAll(
  names: readonly string[],
  { seconds, rounds }: BenchOptions,
  progress: (line: string) => void,
): Promise<void> {
  const common = ['--seconds', `${seconds}`, '--rounds', `${rounds}`];
  const commands = names.flatMap((name) => [
    [name],
    ...(WITH_DELAY[name] ? [[name, ...WITH_DELAY[name]]] : []),
  ]);
  const measured: Measured[] = [];
  for (const args of commands) {
    progress(`==> ${args.join(' ')}`);
    measured.push({ args, report: await runOne([...args, ...common, '--json']) });
  }
  const page = join(process.cwd(), PAGE);
  await writeFile(page, await benchmarksPage(measured, { seconds, rounds, date: new Date() }));
  progress(`wrote ${PAGE}`);
}

/** One that fails fails the whole: a page with a gap would be taken for the whole. */
async function runOne(args: readonly string[]): Promise<Report> {
  const child = spawn(process.execPath, [join(__dirname, 'run.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  if (code !== 0) throw new Error(`bench ${args.join(' ')} ended with ${code}.`);
  return JSON.parse(Buffer.concat(output).toString()) as Report;
}
