import type { INestApplicationContext } from '@nestjs/common';
import { Client } from 'pg';
import type { Logger } from 'typeorm';
import { FleetMigrator } from '../lib/index';
import { SystemTransactions } from '../lib/connection/typeorm/system-transactions';
import { TemplateMigrator } from '../lib/provisioning/template-migrator';
import { type Bench, type BenchEnvironment, WrongAnswerError } from './bench';
import { openDatabase } from './bench-database';
import { queryAt } from './bench-server';
import { inRounds, median, rounded } from './measure';
import { AlteredTables, fleetDatabase, rowOf, startApp, TENANTS } from './migrate-fleet';
import { measureHeap } from './migrate-heap';
import { TEMPLATE_DDL } from './provision-template';
import { sessionCpuMicros } from './session-cpu';

const CONCURRENCY = 4;

/** What a variant does to every tenant, in milliseconds; and what comes before and after it, which is not measured. */
interface Contender {
  readonly name: string;
  prepare?(): Promise<unknown>;
  migrate(): Promise<number>;
  undo(): Promise<void>;
}

/** What a deployment costs: when there is nothing to do, and when there is one statement. */
export const migrateBench: Bench = {
  about: `a fleet of ${TENANTS} tenants of ${TEMPLATE_DDL.length} statements is migrated`,

  contents: fleetDatabase,

  async run(environment) {
    const { server, cleanUp, progress } = environment;
    progress(`building a fleet of ${TENANTS} tenants, unless it is there`);
    const url = await openDatabase(server, fleetDatabase(progress), cleanUp);
    return measure(environment, url);
  },
};

async function measure({ options, cleanUp, progress }: BenchEnvironment, url: string) {
  const queries = new QueryCounter();
  const tables = await AlteredTables.of(url);
  const app = await startApp(url, tables, queries);
  cleanUp.add(() => app.close());
  const fleet = fleetContender(app, url, tables);
  // An earlier run that was interrupted may have left some.
  await fleet.prepare?.();
  await fleet.migrate();
  const noop = await measureNoop(app, queries, options.rounds);
  progress(`nothing to do: ${rounded(noop.ms)} ms, ${noop.queries} queries`);
  await fleet.undo();
  const migrator = app.get(FleetMigrator);
  const task = { migrator, tenants: TENANTS, concurrency: CONCURRENCY, rounds: options.rounds };
  const heap = await measureHeap({ ...task, undo: fleet.undo });
  progress(`a run holds ${rounded(heap.peakMb)} MB`);
  const contenders = [fleet, ...(await rawContenders(url, tables, cleanUp))];
  const samples = await inRounds(contenders, options.rounds, async (contender, round) => {
    await contender.prepare?.();
    const serverBefore = await sessionCpuMicros(url);
    const before = process.cpuUsage();
    const ms = await contender.migrate();
    const { user, system } = process.cpuUsage(before);
    const server = ((await sessionCpuMicros(url)) ?? NaN) - (serverBefore ?? NaN);
    await requireColumns(contender.name, url, tables);
    await contender.undo();
    progress(`round ${round + 1}: ${contender.name}: ${rounded(ms)} ms`);
    return { ms, clientCpu: (user + system) / TENANTS, serverCpu: server / TENANTS };
  });
  const msOf = (i: number) => samples[i].map(({ ms }) => ms);
  const cpuOf = (i: number) => median(samples[i].map(({ clientCpu, serverCpu }) => clientCpu + serverCpu));
  const rows = contenders.map(({ name }, i) => ({
    ...rowOf(name, msOf(i)),
    clientCpuMicros: rounded(median(samples[i].map(({ clientCpu }) => clientCpu))),
    ...(Number.isFinite(cpuOf(i)) && {
      serverCpuMicros: rounded(median(samples[i].map(({ serverCpu }) => serverCpu))),
    }),
  }));
  return {
    rows,
    ratios: {
      noopMs: rounded(noop.ms),
      noopQueries: noop.queries,
      vsRaw: rounded(median(msOf(0)) / median(msOf(1))),
      vsRawLedger: rounded(median(msOf(0)) / median(msOf(2))),
      ...(Number.isFinite(cpuOf(0)) && {
        cpuVsRaw: rounded(cpuOf(0) / cpuOf(1)),
        cpuVsRawLedger: rounded(cpuOf(0) / cpuOf(2)),
      }),
      upHeapPeakMb: rounded(heap.peakMb),
      upHeapGrowthMb: rounded(heap.growthMb),
    },
  };
}

async function measureNoop(app: INestApplicationContext, queries: QueryCounter, rounds: number) {
  const samples: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    queries.count = 0;
    const start = performance.now();
    const { runId } = await app.get(FleetMigrator).up();
    // The first one loads catalogs.
    if (round > 0) samples.push(performance.now() - start);
    if (runId !== null) throw new WrongAnswerError('noop', null, runId);
  }
  return { ms: median(samples), queries: queries.count };
}

function fleetContender(app: INestApplicationContext, url: string, tables: AlteredTables): Contender {
  const migrator = app.get(FleetMigrator);
  return {
    name: 'fleet',
    // As at the start of the new version; and with connections that are open, as those of the others are.
    prepare: async () => {
      await app.get(TemplateMigrator).migrate();
      const wait = () => app.get(SystemTransactions).run((manager) => manager.query('SELECT pg_sleep(0.2)'));
      await Promise.all(Array.from({ length: CONCURRENCY + 1 }, wait));
    },
    migrate: async () => {
      const { state, ms } = await migrator.up({ concurrency: CONCURRENCY });
      if (state !== 'done') throw new WrongAnswerError('fleet', 'done', state);
      return ms;
    },
    undo: async () => {
      const { state, migrations } = await migrator.down({ concurrency: CONCURRENCY });
      if (state !== 'done' || !migrations[0].startsWith('AddColumn'))
        throw new WrongAnswerError('fleet', 'done', state);
      tables.next();
      await queryAt(url, 'VACUUM (ANALYZE) tenancy.tenant_migrations, tenancy.tenants');
    },
  };
}

/**
 * The same statement, sent to each schema on as many connections: alone (`raw`), and in one message with what a run
 * needs that can go on after a crash (`raw-ledger`): a transaction that keeps a line of what was done along with it.
 *
 * None of them waits for the disk at each COMMIT, as a run of ours does not before its end: otherwise the comparison would be
 * one of disks.
 */
async function rawContenders(
  url: string,
  tables: AlteredTables,
  cleanUp: BenchEnvironment['cleanUp'],
): Promise<Contender[]> {
  const clients = Array.from({ length: CONCURRENCY }, () => new Client({ connectionString: url }));
  for (const client of clients) {
    await client.connect();
    await client.query('SET synchronous_commit = off');
    cleanUp.add(() => client.end());
  }
  await queryAt(
    url,
    `CREATE TABLE IF NOT EXISTS ${LEDGER} (schema text, name text, PRIMARY KEY (schema, name))`,
  );
  const everywhere = async (sql: (schema: string) => string) => {
    const found = await queryAt<{ name: string }>(url, `SELECT schema_name AS name FROM tenancy.tenants`);
    const schemas = found.map(({ name }) => name).values();
    const start = performance.now();
    await Promise.all(
      clients.map(async (client) => {
        for (const schema of schemas) await client.query(sql(schema));
      }),
    );
    return performance.now() - start;
  };
  const undo = async () => {
    await everywhere((schema) => tables.drop(schema));
    tables.next();
    await queryAt(url, `TRUNCATE ${LEDGER}`);
  };
  const alone = (schema: string) => tables.add(schema);
  const withLedger = (schema: string) => `
    BEGIN; SET LOCAL lock_timeout = 5000; SET LOCAL search_path = ${schema};
    INSERT INTO ${LEDGER} VALUES ('${schema}', 'AddColumn'); ${tables.add()}; COMMIT`;
  return [
    { name: 'raw', migrate: () => everywhere(alone), undo },
    { name: 'raw-ledger', migrate: () => everywhere(withLedger), undo },
  ];
}

const LEDGER = 'public.raw_ledger';

async function requireColumns(variant: string, url: string, tables: AlteredTables): Promise<void> {
  const [{ count }] = await queryAt<{ count: number }>(
    url,
    `SELECT count(*)::int AS count FROM pg_attribute WHERE attname = 'added' AND NOT attisdropped
       AND attrelid IS DISTINCT FROM 'template.${tables.current}'::regclass`,
  );
  if (count !== TENANTS) throw new WrongAnswerError(variant, TENANTS, count);
}

class QueryCounter implements Logger {
  count = 0;

  logQuery(): void {
    this.count++;
  }
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}
