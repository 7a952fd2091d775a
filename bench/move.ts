import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  fromHeader,
  type MoveHow,
  type Tenant,
  TenancyModule,
  TenantMover,
  TenantProvisioner,
} from '../lib/index';
import { startEmbeddedPostgres } from '../lib/testing/embedded-postgres';
import { BROKEN, breakMoves } from '../test/support/hammer/moves';
import { LOGICAL } from '../test/support/logical-server';
import type { Bench, BenchEnvironment, Row } from './bench';
import { openDatabase } from './bench-database';
import { queryAt } from './bench-server';
import { median, rounded } from './measure';
import { type MoveLoad, writeDuring } from './move-load';

const SIZES_MB = [10, 100];
const ROW_BYTES = 1_000;
const WAYS: readonly MoveHow[] = ['online', 'stop'];
/** How often the way to move wrongly is tried. */
const ATTEMPTS = 5;

class CreateTables1800000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL);
       CREATE INDEX ON item ((left(text, 8)));
       CREATE TABLE entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number integer NOT NULL)`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE item, entry');
  }
}

interface World {
  readonly app: INestApplicationContext;
  readonly urls: Readonly<Record<'default' | 'eu', string>>;
}

interface MoveSample extends MoveLoad {
  readonly moveMs: number;
}

/** What a tenant's callers feel while it is moved between two databases of one PostgreSQL, and how long that takes. */
export const moveBench: Bench = {
  about: `tenants of ${SIZES_MB.join(' and ')} MB move to another server and back while callers write to them`,

  async run(given) {
    const environment = await withLogicalServer(given);
    const { options, progress } = environment;
    const world = await openWorld(environment);
    const rows: Row[] = [];
    const ratios: Record<string, number> = {};
    const samples: MoveSample[] = [];
    for (const mb of SIZES_MB) {
      progress(`making a tenant of ${mb} MB`);
      const tenant = await makeTenant(world, mb);
      const before = await dumpAndRestore(environment, world.urls.default, tenant);
      const found: Record<MoveHow, MoveSample[]> = { online: [], stop: [] };
      for (let round = 0; round < options.rounds; round++)
        for (const how of WAYS) {
          const there = await moveUnderLoad(world, tenant, 'eu', how);
          const back = await moveUnderLoad(world, tenant, 'default', how);
          found[how].push(there, back);
          progress(
            `round ${round + 1}: ${mb} MB, ${how}: ${rounded(there.moveMs)} ms there, ${rounded(back.moveMs)} ms back; ` +
              `nobody waited longer than ${rounded(Math.max(there.maxMs, back.maxMs))} ms`,
          );
        }
      for (const how of WAYS) {
        rows.push(rowOf(`${how}-${mb}`, mb, found[how]));
        samples.push(...found[how]);
        const of = (field: keyof MoveSample) => median(found[how].map((sample) => sample[field]));
        ratios[`${how}StallP99Ms${mb}`] = rounded(of('p99Ms'));
        ratios[`${how}StallMaxMs${mb}`] = rounded(of('maxMs'));
        if (before !== undefined) ratios[`${how}VsDumpRestore${mb}`] = rounded(of('moveMs') / before);
      }
    }
    ratios.lost = samples.reduce((sum, { lost }) => sum + lost, 0);
    ratios.doubled = samples.reduce((sum, { doubled }) => sum + doubled, 0);
    progress('moving wrongly');
    for (const [how, lost] of Object.entries(await loseByControls(world))) ratios[how] = lost;
    return { rows, ratios };
  },
};

async function openWorld({ server, cleanUp }: BenchEnvironment): Promise<World> {
  const empty = (name: string) =>
    openDatabase(server, { name, description: 'nothing', build: () => Promise.resolve() }, cleanUp);
  const urls = { default: await empty('move'), eu: await empty('move_eu') };
  const app = await NestFactory.createApplicationContext(
    TenancyModule.forRoot({
      database: { url: urls.default },
      servers: { eu: { url: urls.eu } },
      entities: [],
      migrations: [CreateTables1800000000000],
      resolvers: [fromHeader('x-tenant-id')],
      sweeper: { intervalMs: 0 },
    }),
    { logger: ['error'], abortOnError: false },
  );
  cleanUp.add(() => app.close());
  return { app, urls };
}

async function makeTenant({ app, urls }: World, mb: number, slug = `mb-${mb}`): Promise<Tenant> {
  const tenant = await app.get(TenantProvisioner).create({ slug });
  await queryAt(
    urls.default,
    `INSERT INTO ${tenant.schemaName}.item (text)
     SELECT repeat(md5(i::text), ${Math.floor(ROW_BYTES / 32)}) FROM generate_series(1, ${mb * 1_000_000} / ${ROW_BYTES}) i`,
  );
  await queryAt(urls.default, `VACUUM (ANALYZE) ${tenant.schemaName}.item`);
  return tenant;
}

async function moveUnderLoad(
  { app }: World,
  tenant: Tenant,
  server: string,
  how: MoveHow,
): Promise<MoveSample> {
  let moveMs = 0;
  const load = await writeDuring(app, tenant, async () => {
    const start = performance.now();
    await app.get(TenantMover).move(tenant.id, { server }, { how });
    moveMs = performance.now() - start;
  });
  return { ...load, moveMs };
}

function rowOf(variant: string, mb: number, samples: readonly MoveSample[]): Row {
  const of = (field: keyof MoveSample) => rounded(median(samples.map((sample) => sample[field])));
  return {
    variant,
    opsPerSecond: rounded(median(samples.map(({ writes, moveMs }) => (writes / moveMs) * 1_000))),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    maxMs: of('maxMs'),
    moveMs: of('moveMs'),
    mbPerSecond: rounded(median(samples.map(({ moveMs }) => (mb / moveMs) * 1_000))),
    lost: samples.reduce((sum, { lost }) => sum + lost, 0),
    doubled: samples.reduce((sum, { doubled }) => sum + doubled, 0),
  };
}

/** How many answered writes are lost by moves that keep no writer away, or wait for none: a bench that finds none measures nothing. */
async function loseByControls(world: World): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const broken of ['noWait', 'noCatchUp'] as const) {
    const tenant = await makeTenant(world, 10, `control-${broken.toLowerCase()}`);
    const mend = breakMoves(broken);
    const name = `${broken}Lost`;
    found[name] = 0;
    try {
      for (let attempt = 0; attempt < ATTEMPTS && found[name] === 0; attempt++) {
        const server = attempt % 2 ? 'default' : 'eu';
        // A busy machine may have noticed something; then it is tried again.
        const sample = await moveUnderLoad(world, tenant, server, BROKEN[broken].how).catch(() => undefined);
        found[name] = sample?.lost ?? 0;
      }
    } finally {
      mend();
    }
  }
  return found;
}

/** With a server of its own where the given one keeps too little in its log. */
async function withLogicalServer(given: BenchEnvironment): Promise<BenchEnvironment> {
  const { url, version } = given.server;
  const [{ level }] = await queryAt<{ level: string }>(url, `SELECT current_setting('wal_level') AS level`);
  if (level === 'logical') return given;
  const server = await startEmbeddedPostgres({ parameters: { max_connections: 200, ...LOGICAL } });
  given.cleanUp.add(() => server.stop());
  return { ...given, server: { url: server.url, version } };
}

/** How long `pg_dump | psql` takes; `undefined` where both are not installed in a version that speaks to this server. */
async function dumpAndRestore(
  environment: BenchEnvironment,
  url: string,
  { schemaName }: Tenant,
): Promise<number | undefined> {
  const { server, progress, cleanUp } = environment;
  const found = await promisify(execFile)('pg_dump', ['--version']).catch(() => ({ stdout: '' }));
  const major = Number(/(\d+)/.exec(found.stdout)?.[1] ?? 0);
  if (major < parseInt(server.version, 10)) {
    progress(
      `not measured: pg_dump ${major || 'is not installed'}, and the server is PostgreSQL ${server.version}`,
    );
    return undefined;
  }
  const target = await openDatabase(
    server,
    { name: 'move_restored', description: 'nothing', build: () => Promise.resolve() },
    cleanUp,
  );
  const start = performance.now();
  const dump = spawn('pg_dump', ['--schema', schemaName, url], { stdio: ['ignore', 'pipe', 'inherit'] });
  const restore = spawn('psql', ['-q', '-v', 'ON_ERROR_STOP=1', '-d', target], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  dump.stdout.pipe(restore.stdin);
  const codes = await Promise.all([once(dump, 'exit'), once(restore, 'exit')]);
  if (codes.some(([code]) => code !== 0))
    throw new Error(`pg_dump and psql ended with ${codes.join(' and ')}.`);
  return performance.now() - start;
}
