import { Client } from 'pg';
import { type Bench, type BenchEnvironment, type Row, WrongAnswerError } from './bench';
import { type DatabaseContents, openDatabase } from './bench-database';
import { queryAt } from './bench-server';
import { inRounds, medians, rounded } from './measure';
import { TEMPLATE_DDL } from './provision-template';
import { PROVISION_VARIANTS, type ProvisionVariant, SPARES } from './provision-variants';

/** What every schema must hold, whichever way it was made: TypeORM's own table of migrations is not counted. */
const RELATIONS = `SELECT count(*)::int AS relations FROM pg_class c
  WHERE c.relnamespace = $1::regnamespace AND c.relname !~ '^(migrations|PK_)'`;

/** A variant beside a number of schemas that are there already. */
interface Contender {
  readonly variant: ProvisionVariant;
  readonly schemas: number;
  readonly url: string;
}

/** What it costs to make one more tenant, by the ways there are, in an empty database and in a full one. */
export const provisionBench: Bench = {
  about: `one caller makes tenants of ${TEMPLATE_DDL.length} statements, in an empty database and in a full one`,

  contents: (_progress, { schemas }) => fullDatabase(schemas),

  async run(environment) {
    const { options, server, cleanUp, progress } = environment;
    const contenders: Contender[] = [];
    for (const schemas of [0, options.schemas]) {
      progress(`building a database of ${schemas} schemas, unless it is there`);
      const url = await openDatabase(
        server,
        schemas === 0 ? emptyDatabase() : fullDatabase(schemas),
        cleanUp,
      );
      cleanUp.add(() => tidy(url));
      await tidy(url);
      for (const open of PROVISION_VARIANTS) {
        const variant = await open(url, schemas);
        cleanUp.add(() => variant.close());
        contenders.push({ variant, schemas, url });
      }
    }
    return measure(environment, contenders);
  },
};

async function measure({ options, progress }: BenchEnvironment, contenders: readonly Contender[]) {
  // The first of each loads catalogs and compiles statements.
  for (const contender of contenders) await round(contender, 0);
  const samples = await inRounds(contenders, options.rounds, async (contender, number) => {
    const sample = await round(contender, options.seconds);
    progress(
      `round ${number + 1}: ${contender.variant.name} beside ${contender.schemas}: ${rounded(sample.p50Ms)} ms`,
    );
    return sample;
  });
  const rows: Row[] = contenders.map(({ variant, schemas }, i) => ({
    variant: variant.name,
    schemas,
    ...medians(samples[i]),
  }));
  return { rows, ratios: ratiosOf(rows, options.schemas) };
}

/** One create after the other until the time is up, then a look at what they made, and all is dropped again. */
async function round({ variant, url }: Contender, seconds: number) {
  await variant.prepare();
  const made: string[] = [];
  const latencies: number[] = [];
  const start = performance.now();
  do {
    const before = performance.now();
    made.push(await variant.create());
    latencies.push(performance.now() - before);
  } while (performance.now() - start < seconds * 1000 && made.length < SPARES);
  const elapsedMs = latencies.reduce((sum, each) => sum + each, 0);
  latencies.sort((one, other) => one - other);
  const [{ relations }] = await queryAt<{ relations: number }>(url, RELATIONS, ['template']);
  for (const name of new Set(made)) {
    const [found] = await queryAt<{ relations: number }>(url, RELATIONS, [name]);
    if (found.relations !== relations || new Set(made).size !== made.length)
      throw new WrongAnswerError(variant.name, relations, found.relations);
  }
  await tidy(url);
  return {
    opsPerSecond: (latencies.length / elapsedMs) * 1000,
    p50Ms: latencies[latencies.length >> 1],
    p99Ms: latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * 0.99))],
  };
}

function ratiosOf(rows: readonly Row[], full: number): Record<string, number> {
  const p50 = (name: string, schemas: number) =>
    rows.find((row) => row.variant === name && row.schemas === schemas)?.p50Ms ?? NaN;
  const empty = 0;
  return {
    coldVsRawBatch: rounded(p50('cold-clone', empty) / p50('raw-batch', empty)),
    flatness: rounded(p50('cold-clone', full) / p50('cold-clone', empty)),
    rolesVsCold: rounded(p50('cold-with-roles', empty) / p50('cold-clone', empty)),
    rolesFlatness: rounded(p50('cold-with-roles', full) / p50('cold-with-roles', empty)),
    migrationsVsCold: rounded(p50('migrations', empty) / p50('cold-clone', empty)),
    warmP50Ms: p50('warm-spare', empty),
  };
}

function emptyDatabase(): DatabaseContents {
  return { name: 'provision_empty', description: 'nothing', build: () => Promise.resolve() };
}

function fullDatabase(schemas: number): DatabaseContents {
  return {
    name: 'provision',
    description: `${schemas} schemas of ${TEMPLATE_DDL.length} statements`,
    build: (url) => fill(url, schemas),
  };
}

/** Two at once: DDL keeps a core of the server busy. */
async function fill(url: string, schemas: number): Promise<void> {
  const numbers = Array.from({ length: schemas }, (_, i) => i).values();
  const worker = async () => {
    const client = new Client({ connectionString: url });
    await client.connect();
    for (const number of numbers) {
      const name = `filler_${number}`;
      await client.query(
        ['BEGIN', `CREATE SCHEMA ${name}`, `SET LOCAL search_path = ${name}`, ...TEMPLATE_DDL, 'COMMIT'].join(
          ';',
        ),
      );
    }
    await client.end();
  };
  await Promise.all([worker(), worker()]);
  // Now, so that autovacuum does not come in the middle of a round.
  for (const catalog of [
    'pg_class',
    'pg_attribute',
    'pg_depend',
    'pg_type',
    'pg_index',
    'pg_constraint',
    'pg_trigger',
  ])
    await queryAt(url, `VACUUM (ANALYZE) pg_catalog.${catalog}`);
}

/** Drops what earlier rounds, or an earlier run, have made. A tenant's role is named as its schema. */
async function tidy(url: string): Promise<void> {
  const made = await queryAt<{ name: string }>(
    url,
    `SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^t_[a-z0-9]{20}$'`,
  );
  for (const { name } of made) await queryAt(url, `DROP SCHEMA ${name} CASCADE; DROP ROLE IF EXISTS ${name}`);
  if ((await queryAt(url, `SELECT WHERE to_regclass('tenancy.spares') IS NOT NULL`)).length > 0)
    await queryAt(
      url,
      'TRUNCATE tenancy.tenants, tenancy.tenant_domains, tenancy.tenant_event_outbox, tenancy.spares',
    );
}
