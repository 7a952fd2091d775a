import { NestFactory } from '@nestjs/core';
import { TenantProvisioner } from '../lib/index';
import { type Bench, type BenchEnvironment, type Row } from './bench';
import { openDatabase } from './bench-database';
import { delayed } from './delay-proxy';
import { bare, GUARD_CASES, GuardsModule, type GuardCase } from './guard-cases';
import { inRounds, medians, rounded, runFor } from './measure';

const WARM_UP_SECONDS = 0.5;

/** The registry's own schema, which the application makes when it starts. */
const NOTHING = { name: 'guards', description: 'empty', build: () => Promise.resolve() };

/** What each of our guards adds to a request of a tenant, beside the least that a guard of Nest's can be. */
export const guardsBench: Bench = {
  about: 'one caller passes each guard, for one tenant whose limits are far away',

  async run(environment) {
    const { options, server, cleanUp } = environment;
    const url = await delayed(await openDatabase(server, NOTHING, cleanUp), options.rttMs, cleanUp);
    const app = await NestFactory.createApplicationContext(GuardsModule.forDatabase(url), {
      logger: ['error', 'warn'],
    });
    cleanUp.add(() => app.close());
    const tenant = await app.get(TenantProvisioner).create({ slug: 'acme' });
    return measure(
      environment,
      [bare, ...GUARD_CASES].map((open) => open(app, tenant)),
    );
  },
};

async function measure({ options, progress }: BenchEnvironment, cases: readonly GuardCase[]) {
  for (const { name, pass } of cases) {
    progress(`warming up ${name}`);
    await runFor(Math.min(WARM_UP_SECONDS, options.seconds), 1, pass);
  }
  const samples = await inRounds(cases, options.rounds, async ({ name, pass }, round) => {
    const sample = await runFor(options.seconds, 1, pass);
    progress(`round ${round + 1}: ${name} ${rounded(sample.opsPerSecond)} a second`);
    return sample;
  });
  const rows: Row[] = cases.map(({ name }, i) => ({ variant: name, ...medians(samples[i]) }));
  return { rows, ratios: ratiosOf(rows) };
}

/** Microseconds of CPU that each adds to the bare one. */
function ratiosOf([plain, ...others]: readonly Row[]): Record<string, number> {
  return Object.fromEntries(
    others.map(({ variant, clientCpuMicros }) => [
      `${variant} addedCpuMicros`,
      rounded(Number(clientCpuMicros) - Number(plain.clientCpuMicros)),
    ]),
  );
}
