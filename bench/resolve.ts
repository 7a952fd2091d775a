import { type Bench, type BenchEnvironment, type Row } from './bench';
import { openDatabase } from './bench-database';
import { delayed } from './delay-proxy';
import { inRounds, medians, rounded } from './measure';
import { openRegistry } from './resolve-registry';
import { resolverCases } from './resolve-requests';
import { bareMap, bareQuery, cached, cold, type ResolveVariant, stampede } from './resolve-variants';

const TENANTS = 1_000;

const WARM_UP_SECONDS = 0.5;

/** The registry's own schema, which the application makes when it starts. */
const NOTHING = { name: 'resolve', description: 'empty', build: () => Promise.resolve() };

/** What it costs to find the tenant of a request, by each resolver. */
export const resolveBench: Bench = {
  about: `one caller resolves requests of ${TENANTS} tenants, remembered or not`,

  async run(environment) {
    const { options, server, cleanUp, progress } = environment;
    const url = await delayed(await openDatabase(server, NOTHING, cleanUp), options.rttMs, cleanUp);
    progress(`registering ${TENANTS} tenants`);
    const registry = await openRegistry(url, TENANTS, cleanUp);
    const cases = resolverCases();
    const variants = [
      bareMap(registry),
      ...(await Promise.all(cases.map((each) => cached(registry, each)))),
      await bareQuery(registry, url, cleanUp),
      ...(await Promise.all(cases.map((each) => cold(registry, each)))),
      await stampede(registry, cases[0]),
    ];
    return measure(environment, variants);
  },
};

async function measure({ options, progress }: BenchEnvironment, variants: readonly ResolveVariant[]) {
  for (const variant of variants) {
    progress(`warming up ${variant.name}`);
    await variant.run(Math.min(WARM_UP_SECONDS, options.seconds));
  }
  const samples = await inRounds(variants, options.rounds, async (variant, round) => {
    const sample = await variant.run(options.seconds);
    progress(`round ${round + 1}: ${variant.name} ${rounded(sample.opsPerSecond)} a second`);
    return sample;
  });
  const rows: Row[] = variants.map(({ name }, i) => ({ variant: name, ...medians(samples[i]) }));
  return { rows, ratios: ratiosOf(variants, rows) };
}

/** Each variant against its baseline: remembered tenants against a Map, others against one query for their row. */
function ratiosOf(variants: readonly ResolveVariant[], rows: readonly Row[]): Record<string, number> {
  const rowOf = (name: string) => rows.find(({ variant }) => variant === name)!;
  const versus = variants.flatMap(({ name, ratio }): [string, number][] =>
    ratio ? [[ratio.name, rounded(rowOf(name).opsPerSecond / rowOf(ratio.baseline).opsPerSecond)]] : [],
  );
  const queries = rows.flatMap(({ queriesPerTenant }) =>
    queriesPerTenant === undefined ? [] : [Number(queriesPerTenant)],
  );
  return { ...Object.fromEntries(versus), queriesPerColdTenant: Math.max(...queries) };
}
