import type { Tenant } from '../lib/registry/tenant';
import type { Bench, BenchEnvironment, Row } from './bench';
import { openDatabase } from './bench-database';
import { makeDatabaseFleet, openDatabaseFleet } from './database-fleet';
import { CALLERS, findInRounds, POOL_SIZE, ratioOf, TENANTS, warmUp } from './find-rounds';
import { fleetContents, makeFleet } from './fleet';
import { openOurs, type SwitchVariant } from './switch-variants';

/** Connections to many databases. */
const SESSIONS = 40;

/** What several servers cost: the same tenants, and as many connections, in two databases of one PostgreSQL; and many databases. */
export const serversBench: Bench = {
  about: `${CALLERS} callers find rows of ${TENANTS} tenants on one server, on two with half of the connections each, and in databases of their own`,

  contents: () => fleetContents(makeFleet(TENANTS)),

  async run(environment) {
    const { server, cleanUp, progress } = environment;
    const fleet = makeFleet(TENANTS);
    const contents = fleetContents(fleet);
    progress(`building ${contents.description} twice, unless it is there`);
    const url = await openDatabase(server, contents, cleanUp);
    const other = await openDatabase(server, { ...contents, name: `${contents.name}_eu` }, cleanUp);
    const abroad = fleet.map((tenant, i) => (i % 2 ? tenant : inEurope(tenant)));
    const variants: SwitchVariant[] = [];
    for (const [name, setting] of [
      ['one-pool', { url, fleet, poolSize: POOL_SIZE }],
      ['router', { url, fleet: abroad, poolSize: POOL_SIZE / 2, servers: { eu: other } }],
    ] as const) {
      const variant = closedOnce({ ...(await openOurs(setting)), name, connections: POOL_SIZE });
      cleanUp.add(() => variant.close());
      variants.push(await warmUp(environment, variant));
    }
    const rows = await findInRounds(environment, variants);
    // PostgreSQL has room for a hundred connections.
    for (const { close } of variants) await close();
    for (const count of [30, TENANTS])
      rows.push(...(await findInDatabases(environment, { url, fleet: fleet.slice(0, count) })));
    const ratio = (count: number) => ratioOf(rows, `databases-${count}`, `schemas-${count}`);
    return {
      rows,
      ratios: {
        routerVsOnePool: ratioOf(rows, 'router', 'one-pool'),
        databases30VsSchemas: ratio(30),
        [`databases${TENANTS}VsSchemas`]: ratio(TENANTS),
      },
    };
  },
};

/** At the end of its rounds, or when the run is ended before. */
function closedOnce(variant: SwitchVariant): SwitchVariant {
  let closed: Promise<void> | undefined;
  return { ...variant, close: () => (closed ??= variant.close()) };
}

/** The same number of tenants, by turns in schemas and in databases, over the same number of connections. */
async function findInDatabases(
  environment: BenchEnvironment,
  { url, fleet }: { url: string; fleet: readonly Tenant[] },
): Promise<Row[]> {
  const { cleanUp, progress } = environment;
  progress(`making ${fleet.length} databases`);
  const own = await openDatabaseFleet(environment, url, makeDatabaseFleet(fleet.length));
  const variants: SwitchVariant[] = [];
  for (const [name, tenants] of [
    ['schemas', fleet],
    ['databases', own],
  ] as const) {
    const opened = await openOurs({ url, fleet: tenants, poolSize: SESSIONS });
    const variant = closedOnce({ ...opened, name: `${name}-${fleet.length}`, connections: SESSIONS });
    cleanUp.add(() => variant.close());
    variants.push(await warmUp(environment, variant));
  }
  const rows = await findInRounds(environment, variants);
  for (const { close } of variants) await close();
  return rows;
}

function inEurope(tenant: Tenant): Tenant {
  return { ...tenant, place: { server: 'eu', isolation: 'schema' } };
}
