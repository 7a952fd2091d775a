import { Client } from 'pg';
import type { INestApplicationContext } from '@nestjs/common';
import { FleetDrift } from '../lib/index';
import { type Bench, type BenchEnvironment, WrongAnswerError } from './bench';
import { openDatabase } from './bench-database';
import { inRounds, median, rounded } from './measure';
import { fleetDatabase, rowOf, startApp, TENANTS } from './migrate-fleet';
import { TEMPLATE_DDL } from './provision-template';

/** As many sessions as `FleetDrift` takes. */
const CONCURRENCY = 2;

/**
 * What there is to read: every row of the catalogs that hold a tenant's structure, with what PostgreSQL prints of it, and
 * one number for each schema. Nothing of it is compared, and it takes no notice of other kinds of objects.
 */
const RAW = `
  WITH wanted AS MATERIALIZED (SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY ($1)),
  relation AS MATERIALIZED (SELECT w.nspname, c.* FROM wanted w JOIN pg_class c ON c.relnamespace = w.oid)
  SELECT nspname, sum(hashtextextended(line, 0)) AS hash FROM (
    SELECT nspname, r::text AS line FROM relation r
    UNION ALL
    SELECT nspname, concat(a, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid))
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL
    SELECT nspname, concat(i, pg_get_indexdef(i.indexrelid)) FROM relation r JOIN pg_index i ON i.indrelid = r.oid
    UNION ALL
    SELECT nspname, concat(c, pg_get_constraintdef(c.oid)) FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid
    UNION ALL
    SELECT nspname, concat(t, pg_get_triggerdef(t.oid)) FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT nspname, concat(s) FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid
    UNION ALL
    SELECT nspname, pg_get_viewdef(r.oid) FROM relation r WHERE relkind = 'v'
    UNION ALL
    SELECT nspname, concat(p, pg_get_functiondef(p.oid)) FROM wanted w JOIN pg_proc p ON p.pronamespace = w.oid
    UNION ALL
    SELECT nspname, t::text FROM wanted w JOIN pg_type t ON t.typnamespace = w.oid
    UNION ALL
    SELECT nspname, e::text FROM wanted w JOIN pg_type t ON t.typnamespace = w.oid JOIN pg_enum e ON e.enumtypid = t.oid
  ) AS lines GROUP BY nspname`;

/** How long it takes to see that a whole fleet is like its template. */
export const driftBench: Bench = {
  about: `a fleet of ${TENANTS} tenants of ${TEMPLATE_DDL.length} statements is compared with its template`,

  contents: fleetDatabase,

  async run(environment) {
    const { server, cleanUp, progress } = environment;
    progress(`building a fleet of ${TENANTS} tenants, unless it is there`);
    const url = await openDatabase(server, fleetDatabase(progress), cleanUp);
    const app = await startApp(url);
    cleanUp.add(() => app.close());
    return measure(environment, app, url);
  },
};

async function measure({ options, progress }: BenchEnvironment, app: INestApplicationContext, url: string) {
  const heap: number[] = [];
  const contenders = [
    { name: 'drift', look: () => check(app, heap) },
    { name: 'raw', look: () => readRaw(url) },
  ];
  const samples = await inRounds(contenders, options.rounds, async ({ name, look }, round) => {
    const start = performance.now();
    await look();
    const ms = performance.now() - start;
    progress(`round ${round + 1}: ${name}: ${rounded(ms / 1_000)} s`);
    return ms;
  });
  const half = heap.length >> 1;
  const heapGrowth = Math.min(...heap.slice(half)) - Math.min(...heap.slice(0, half));
  return {
    rows: contenders.map(({ name }, i) => rowOf(name, samples[i])),
    ratios: {
      driftSeconds: rounded(median(samples[0]) / 1_000),
      vsRaw: rounded(median(samples[0]) / median(samples[1])),
      driftHeapGrowthMb: rounded(heapGrowth / 2 ** 20),
    },
  };
}

/** `heap` is told what is in use after each tenth of the fleet. */
async function check(app: INestApplicationContext, heap: number[]): Promise<void> {
  const onProgress = (checked: number) => {
    if (checked % (TENANTS / 10) === 0) heap.push(process.memoryUsage().heapUsed);
  };
  const { checked, drifted } = await app.get(FleetDrift).check({ onProgress });
  if (checked !== TENANTS || drifted !== 0)
    throw new WrongAnswerError('drift', [TENANTS, 0], [checked, drifted]);
}

/** On as many sessions, an equal share of the fleet on each. */
async function readRaw(url: string): Promise<void> {
  const clients = Array.from({ length: CONCURRENCY }, () => new Client({ connectionString: url }));
  await Promise.all(clients.map((client) => client.connect()));
  const { rows } = await clients[0].query<{ name: string }>(
    'SELECT schema_name AS name FROM tenancy.tenants',
  );
  const shares = clients.map((_client, place) => rows.filter((_row, i) => i % CONCURRENCY === place));
  const hashes = await Promise.all(
    clients.map((client, i) => client.query(RAW, [shares[i].map(({ name }) => name)])),
  );
  const read = hashes.reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0);
  if (read !== TENANTS) throw new WrongAnswerError('raw', TENANTS, read);
  await Promise.all(clients.map((client) => client.end()));
}
