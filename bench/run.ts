import 'reflect-metadata';
import { runAll } from './all';
import { accessBench } from './access';
import type { Bench } from './bench';
import { BenchUsageError, parseBenchOptions, type BenchOptions } from './bench-options';
import { keepDatabase } from './bench-database';
import { type BenchServer, openServer } from './bench-server';
import { cacheBench } from './cache';
import { CleanUp } from './clean-up';
import { driftBench } from './drift';
import { eventsBench } from './events';
import { fairnessBench } from './fairness';
import { guardsBench } from './guards';
import { httpBench } from './http';
import { jobsBench } from './jobs';
import { memoryBench } from './memory';
import { migrateBench } from './migrate';
import { moveBench } from './move';
import { provisionBench } from './provision';
import { formatReport, makeReport } from './report';
import { resolveBench } from './resolve';
import { serversBench } from './servers';
import { switchBench } from './switch';
import { testingBench } from './testing';

const BENCHES: Readonly<Record<string, Bench>> = {
  switch: switchBench,
  servers: serversBench,
  move: moveBench,
  guards: guardsBench,
  http: httpBench,
  resolve: resolveBench,
  provision: provisionBench,
  migrate: migrateBench,
  drift: driftBench,
  memory: memoryBench,
  fairness: fairnessBench,
  events: eventsBench,
  jobs: jobsBench,
  cache: cacheBench,
  access: accessBench,
  testing: testingBench,
};

/** Not a bench, but all of them. */
const ALL = 'all';

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

async function run(options: BenchOptions, cleanUp: CleanUp): Promise<void> {
  const progress = (line: string) => console.error(line);
  if (options.name === ALL) return runAll(Object.keys(BENCHES), options, progress);
  const server = await openServer(options.prepare, cleanUp);
  const bench = BENCHES[options.name];
  if (options.prepare) return prepare(bench, server, options, progress);
  const result = await bench.run({ options, server, cleanUp, progress });
  const report = makeReport(options.name, server.version, result);
  console.log(options.json ? JSON.stringify(report) : formatReport(report));
}

async function prepare(
  { contents }: Bench,
  server: BenchServer,
  options: BenchOptions,
  progress: (line: string) => void,
): Promise<void> {
  if (!contents) return progress('nothing to prepare');
  const database = contents(progress, options);
  const wasThere = await keepDatabase(server, database);
  progress(`${database.description}: ${wasThere ? 'there already' : 'built'}`);
}

async function main(): Promise<void> {
  const cleanUp = new CleanUp();
  let interrupted = false;
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      interrupted = true;
      void cleanUp.run().then(() => process.exit(exitCode));
    });
  }
  try {
    const abouts = Object.fromEntries(Object.entries(BENCHES).map(([name, { about }]) => [name, about]));
    const all = { [ALL]: 'every one of them; writes docs/benchmarks.md' };
    await run(parseBenchOptions(process.argv.slice(2), { ...abouts, ...all }), cleanUp);
  } catch (error) {
    // What is under way fails when everything is stopped under it.
    if (interrupted) return;
    console.error(error instanceof BenchUsageError ? error.message : error);
    process.exitCode = 1;
  } finally {
    await cleanUp.run();
  }
}

void main();
