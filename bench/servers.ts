import type { Tenant } from '../lib/registry/tenant';
import type { Bench } from './bench';
import { openDatabase } from './bench-database';
import { CALLERS, findInRounds, POOL_SIZE, ratioOf, TENANTS, warmUp } from './find-rounds';
import { fleetContents, makeFleet } from './fleet';
import { openOurs, type SwitchVariant } from './switch-variants';

/** What several servers cost: the same tenants, and as many connections, in two databases of one PostgreSQL. */
export const serversBench: Bench = {
  about: `${CALLERS} callers find rows of ${TENANTS} tenants on one server, and on two with half of the connections each`,

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
      const variant = { ...(await openOurs(setting)), name, connections: POOL_SIZE };
      cleanUp.add(() => variant.close());
      variants.push(await warmUp(environment, variant));
    }
    const rows = await findInRounds(environment, variants);
    return { rows, ratios: { routerVsOnePool: ratioOf(rows, 'router', 'one-pool') } };
  },
};

function inEurope(tenant: Tenant): Tenant {
  return { ...tenant, place: { server: 'eu', isolation: 'schema' } };
}
