import autocannon from 'autocannon';
import { type Bench, type BenchEnvironment, type Row, WrongAnswerError } from './bench';
import { openDatabase } from './bench-database';
import { ADAPTERS, HTTP_VARIANTS, TENANT_HEADER, tenantSlugs, WHOAMI_PATH } from './http-contract';
import { type HttpServerProcess, startHttpServer } from './http-server-process';
import { inRounds, median, medians, rounded } from './measure';

const CONNECTIONS = 20;
const WARM_UP_SECONDS = 3;

/** The schemas that TenancyModule makes for itself while it starts. */
const NOTHING = { name: 'http', description: 'empty', build: () => Promise.resolve() };

interface HttpSample {
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicrosPerRequest: number;
}

/** What tenancy adds to a request that needs no database. */
export const httpBench: Bench = {
  about: `${CONNECTIONS} keep-alive connections ask one Nest application who they are`,

  async run(environment) {
    const { options, server, cleanUp } = environment;
    if (options.rttMs > 0) throw new Error('--rtt-ms: the handlers of this bench do not touch PostgreSQL.');
    const url = await openDatabase(server, NOTHING, cleanUp);
    return measure(environment, await startServers(environment, url));
  },
};

async function startServers({ cleanUp, progress, options }: BenchEnvironment, databaseUrl: string) {
  const servers: HttpServerProcess[] = [];
  for (const adapter of ADAPTERS) {
    for (const variant of HTTP_VARIANTS) {
      const server = await startHttpServer(adapter, variant, databaseUrl);
      cleanUp.add(() => server.stop());
      progress(`warming up ${server.name}`);
      await load(server, Math.min(WARM_UP_SECONDS, 2 * options.seconds));
      servers.push(server);
    }
  }
  return servers;
}

async function measure({ options, progress }: BenchEnvironment, servers: readonly HttpServerProcess[]) {
  const samples = await inRounds(servers, options.rounds, async (server, round) => {
    const sample = await load(server, options.seconds);
    progress(
      `round ${round + 1}: ${server.name} ${rounded(sample.opsPerSecond)} a second, ${rounded(sample.cpuMicrosPerRequest)} µs each`,
    );
    return sample;
  });
  const samplesOf = (name: string) => samples[servers.findIndex((server) => server.name === name)];
  const rows: Row[] = servers.map(({ name, adapter }, i) => ({
    variant: name,
    ...medians(samples[i]),
    addedCpuMicros: addedCpuMicros(samples[i], samplesOf(`${adapter} plain`)),
  }));
  return { rows, ratios: ratiosOf(rows, samplesOf) };
}

/** Round by round, as the ratios are, since both had the same machine then. */
function addedCpuMicros(samples: readonly HttpSample[], plain: readonly HttpSample[]): number {
  return rounded(
    median(samples.map((sample, round) => sample.cpuMicrosPerRequest - plain[round].cpuMicrosPerRequest)),
  );
}

function ratiosOf(
  rows: readonly Row[],
  samplesOf: (name: string) => readonly HttpSample[],
): Record<string, number> {
  const row = (name: string) => rows.find(({ variant }) => variant === name)!;
  const entries = ADAPTERS.flatMap((adapter): [string, number][] => {
    const tenancy = row(`${adapter} ours`);
    const ours = samplesOf(`${adapter} ours`);
    const versus = (variant: string) => {
      const others = samplesOf(`${adapter} ${variant}`);
      return rounded(
        median(ours.map(({ opsPerSecond }, round) => opsPerSecond / others[round].opsPerSecond)),
      );
    };
    return [
      [`${adapter}VsPlain`, versus('plain')],
      [`${adapter}VsByHand`, versus('by-hand')],
      [`${adapter}VsCls`, versus('cls')],
      [`${adapter}VsRequestScoped`, versus('request-scoped')],
      [`${adapter}VsDurable`, versus('durable')],
      [`${adapter}AddedCpuMicros`, tenancy.addedCpuMicros as number],
      [`${adapter}AddedCpuMicrosAls`, row(`${adapter} als`).addedCpuMicros as number],
      [`${adapter}AddedCpuMicrosByHand`, row(`${adapter} by-hand`).addedCpuMicros as number],
    ];
  });
  return Object.fromEntries(entries);
}

/** Runs the load from this process, and takes the CPU time of the server's. */
async function load(server: HttpServerProcess, seconds: number): Promise<HttpSample> {
  let wrong: WrongAnswerError | undefined;
  const cpuBefore = await server.cpuMicros();
  const result = await autocannon({
    url: server.url,
    connections: CONNECTIONS,
    duration: seconds,
    requests: tenantSlugs().map((slug) => ({
      method: 'GET',
      path: WHOAMI_PATH,
      headers: { [TENANT_HEADER]: slug },
      onResponse: (status: number, body: string) => {
        if (status === 200 && body === JSON.stringify({ tenant: slug })) return;
        wrong ??= new WrongAnswerError(server.name, { tenant: slug }, { status, body });
      },
    })),
  });
  const cpuMicros = (await server.cpuMicros()) - cpuBefore;
  if (wrong) throw wrong;
  if (result.errors > 0) throw new Error(`${server.name}: ${result.errors} requests failed.`);
  const requests = result.requests.total;
  return {
    opsPerSecond: requests / result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    cpuMicrosPerRequest: cpuMicros / requests,
  };
}
