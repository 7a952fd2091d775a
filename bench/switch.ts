import type { Tenant } from '../lib/registry/tenant';
import type { Bench, BenchEnvironment, Row } from './bench';
import { openDatabase } from './bench-database';
import { delayed } from './delay-proxy';
import { CALLERS, findInRounds, POOL_SIZE, ratioOf, TENANTS, warmUp } from './find-rounds';
import { fleetContents, makeFleet } from './fleet';
import { SWITCH_VARIANTS, type SwitchVariant } from './switch-variants';

const RATIOS = {
  vsSingleTenant: 'single-tenant',
  vsQualified: 'qualified',
  vsAwaitedSet: 'awaited-set',
  vsTransaction: 'transaction',
  vsDataSourcePerTenant: 'datasource-per-tenant',
} as const;

/** What it costs to serve many tenants from one pool, by the ways there are. */
export const switchBench: Bench = {
  about: `${CALLERS} callers find rows of ${TENANTS} tenants by primary key over ${POOL_SIZE} connections`,

  contents: () => fleetContents(makeFleet(TENANTS)),

  async run(environment) {
    const { options, server, cleanUp, progress } = environment;
    const fleet = makeFleet(TENANTS);
    const contents = fleetContents(fleet);
    progress(`building ${contents.description}, unless it is there`);
    const url = await delayed(await openDatabase(server, contents, cleanUp), options.rttMs, cleanUp);
    const rows = await findInRounds(environment, await openVariants(environment, url, fleet));
    return { rows, ratios: ratiosOf(rows) };
  },
};

async function openVariants(
  environment: BenchEnvironment,
  url: string,
  fleet: readonly Tenant[],
): Promise<SwitchVariant[]> {
  const variants: SwitchVariant[] = [];
  for (const open of SWITCH_VARIANTS) {
    const variant = await open({ url, fleet, poolSize: POOL_SIZE });
    environment.cleanUp.add(() => variant.close());
    variants.push(await warmUp(environment, variant));
  }
  return variants;
}

function ratiosOf(rows: readonly Row[]): Record<string, number> {
  return {
    ...Object.fromEntries(
      Object.entries(RATIOS).map(([name, other]) => [name, ratioOf(rows, 'ours', other)]),
    ),
    rolesVsWithoutRoles: ratioOf(rows, 'ours-with-roles', 'ours'),
  };
}
