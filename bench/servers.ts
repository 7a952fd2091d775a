import type { Tenant } from '../lib/registry/tenant';
import { type Bench, type Row, WrongAnswerError } from './bench';
import { openDatabase } from './bench-database';
import { fleetContents, makeFleet, ROWS_PER_TENANT } from './fleet';
import { inRounds, medians, rounded, runFor } from './measure';
import { seededRandom } from './random';
import { openOurs, type SwitchVariant } from './switch-variants';

const TENANTS = 500;
const CALLERS = 64;
const POOL_SIZE = 10;
const SEED = 20_260_101;

/** So that each connection has met most tenants, and the compiler the hot paths, before the first round. */
const WARM_UP_SECONDS = 2.5;

/** What several servers cost: the same tenants, and as many connections, in two databases of one PostgreSQL. */
export const serversBench: Bench = {
  about: `${CALLERS} callers find rows of ${TENANTS} tenants on one server, and on two with half of the connections each`,

  contents: () => fleetContents(makeFleet(TENANTS)),

  async run({ options, server, cleanUp, progress }) {
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
      progress(`warming up ${name}`);
      await runFor(Math.min(WARM_UP_SECONDS, 2 * options.seconds), CALLERS, checkedFind(variant));
      variants.push(variant);
    }
    const finds = new Map(variants.map((variant) => [variant, checkedFind(variant)]));
    const samples = await inRounds(variants, options.rounds, async (variant, round) => {
      const sample = await runFor(options.seconds, CALLERS, finds.get(variant)!);
      progress(`round ${round + 1}: ${variant.name} ${rounded(sample.opsPerSecond)} a second`);
      return sample;
    });
    const rows: Row[] = variants.map(({ name, tenants, connections }, i) => ({
      variant: name,
      ...medians(samples[i]),
      tenants: tenants.length,
      connections,
    }));
    const [onePool, router] = samples.map((each) => medians(each).opsPerSecond);
    return { rows, ratios: { routerVsOnePool: rounded(router / onePool) } };
  },
};

function inEurope(tenant: Tenant): Tenant {
  return { ...tenant, place: { server: 'eu', isolation: 'schema' } };
}

/** One find of a random row of a random tenant, from a sequence that is the same for both. */
function checkedFind({ name, tenants, find }: SwitchVariant): () => Promise<void> {
  const random = seededRandom(SEED);
  return async () => {
    const tenant = tenants[Math.floor(random() * tenants.length)];
    const id = 1 + Math.floor(random() * ROWS_PER_TENANT);
    const found = await find(tenant, id);
    if (found.length !== 1 || found[0].id !== id || found[0].owner !== tenant.slug)
      throw new WrongAnswerError(name, { id, owner: tenant.slug }, found);
  };
}
