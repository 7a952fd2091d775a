import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { fromHeader, TenancyModule, type Tenant, TenantConnection } from '../lib/index';
import { type TestTenants, testTenants } from '../lib/testing/test-tenants';
import { type Bench, type Row, WrongAnswerError } from './bench';
import { openDatabase } from './bench-database';
import type { BenchServer } from './bench-server';
import type { CleanUp } from './clean-up';
import { inRounds, medians, quantile, rounded } from './measure';
import { TEMPLATE_MIGRATIONS } from './provision-template';

const TESTS = 1_000;

class CreateOrders1800000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'CREATE TABLE orders (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), description varchar NOT NULL)',
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE orders');
  }
}

const TEMPLATES = [
  { tables: 1, migrations: [CreateOrders1800000000000] },
  { tables: 31, migrations: [...TEMPLATE_MIGRATIONS, CreateOrders1800000000000] },
];

/** One test of an application: it writes a row and reads it back. */
type RunTest = (suite: Suite) => Promise<void>;

const SHARED = 'one tenant for all';
const OWN = 'a tenant for each';

const VARIANTS: Readonly<Record<string, RunTest>> = {
  [SHARED]: (suite) => suite.work(suite.shared),
  [OWN]: async (suite) => suite.work(await suite.tenants.make()),
};

/** What a tenant of its own costs a test, beside the same test in a tenant that all share. */
export const testingBench: Bench = {
  about: `${TESTS} tests of two statements, each in a tenant of its own`,

  async run({ options, server, cleanUp, progress }) {
    const suites: Suite[] = [];
    for (const template of TEMPLATES) suites.push(await Suite.open(server, cleanUp, template));
    const contenders = suites.flatMap((suite) =>
      Object.entries(VARIANTS).map(([name, runTest]) => ({ name, suite, runTest })),
    );
    const samples = await inRounds(contenders, options.rounds, async ({ name, suite, runTest }, round) => {
      const sample = await timed(() => runTest(suite));
      progress(`round ${round + 1}: ${name}, ${suite.tables} tables: ${rounded(sample.msPerTest)} ms a test`);
      const start = performance.now();
      await suite.tenants.dropAll();
      return { ...sample, dropMsPerTest: (performance.now() - start) / TESTS };
    });
    const rows = contenders.map(({ name, suite }, i) => ({
      variant: name,
      tables: suite.tables,
      ...medians(samples[i]),
    }));
    return { rows, ratios: Object.fromEntries(suites.flatMap(({ tables }) => ratiosOf(rows, tables))) };
  },
};

/** An application with a template of so many tables, in a database of its own. */
class Suite {
  private constructor(
    readonly tables: number,
    private readonly app: INestApplicationContext,
    readonly tenants: TestTenants,
    readonly shared: Tenant,
  ) {}

  static async open(
    server: BenchServer,
    cleanUp: CleanUp,
    { tables, migrations }: (typeof TEMPLATES)[number],
  ): Promise<Suite> {
    const contents = { name: 'testing', description: 'nothing', build: () => Promise.resolve() };
    const module = TenancyModule.forRoot({
      database: { url: await openDatabase(server, contents, cleanUp) },
      entities: [],
      migrations,
      resolvers: [fromHeader('x-tenant-id')],
      sweeper: { intervalMs: 0 },
    });
    const app = await NestFactory.createApplicationContext(module, {
      logger: ['error'],
      abortOnError: false,
    });
    cleanUp.add(() => app.close());
    // Made by other helpers than those of the tests, so that it outlives `dropAll()`.
    return new Suite(tables, app, testTenants({ app }), await testTenants({ app }).make());
  }

  async work(tenant: Tenant): Promise<void> {
    const connection = this.app.get(TenantConnection);
    await this.tenants.run(tenant, async () => {
      const [{ id }] = await connection.query<{ id: string }[]>(
        `INSERT INTO orders (description) VALUES ('tea') RETURNING id`,
      );
      const found = await connection.query<object[]>('SELECT FROM orders WHERE id = $1', [id]);
      if (found.length !== 1) throw new WrongAnswerError(tenant.slug, 1, found.length);
    });
  }
}

async function timed(runTest: () => Promise<void>) {
  const latencies: number[] = [];
  for (let test = 0; test < TESTS; test += 1) {
    const start = performance.now();
    await runTest();
    latencies.push(performance.now() - start);
  }
  const msPerTest = latencies.reduce((sum, each) => sum + each, 0) / TESTS;
  latencies.sort((one, other) => one - other);
  return {
    msPerTest,
    opsPerSecond: 1_000 / msPerTest,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}

function ratiosOf(rows: readonly (Row & { msPerTest: number })[], tables: number): [string, number][] {
  const ms = (name: string) => rows.find((row) => row.variant === name && row.tables === tables)!.msPerTest;
  return [[`addedMs, ${tables} tables`, rounded(ms(OWN) - ms(SHARED))]];
}
