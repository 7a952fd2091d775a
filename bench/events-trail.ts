import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { EventFollower } from '../lib/events/event-follower';
import { TenantEventLog } from '../lib/events/recording/tenant-event-log';
import { TenancyEventsModule } from '../lib/events/tenancy-events.module';
import {
  fromHeader,
  type Tenant,
  TenancyModule,
  TenantConnection,
  TenantContext,
  TenantProvisioner,
} from '../lib/index';
import { EventTrail } from '../lib/registry/events/event-trail';
import { collectGarbage } from '../test/support/collect-garbage';
import { type BenchEnvironment, type Row, WrongAnswerError } from './bench';
import { openDatabase } from './bench-database';
import { queryAt } from './bench-server';
import { median, rounded } from './measure';

const TENANTS = 64;
const WRITERS = 64;
/** Transactions of each writer in a round. */
const EACH = 60;
const FOLLOWED = 100_000;
/** How often the heap is looked at while the follower works. */
const LOOKS = 20;

class CreateNotes1700000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE note (id serial PRIMARY KEY, text text NOT NULL)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE note');
  }
}

interface World {
  readonly url: string;
  readonly tenants: readonly Tenant[];
  readonly connection: TenantConnection;
  readonly context: TenantContext;
  readonly log: TenantEventLog;
  readonly trail: EventTrail;
  readonly follower: EventFollower;
}

/** What an event costs the transaction that records it, and how fast the trail is followed and verified. */
export async function measureTrail(
  environment: BenchEnvironment,
): Promise<{ readonly rows: readonly Row[]; readonly ratios: Readonly<Record<string, number>> }> {
  const world = await openWorld(environment);
  const { tenants } = world;
  const variants: Readonly<Record<string, () => Promise<number>>> = {
    'a plain transaction': () => write(world, (writer) => tenants[writer % TENANTS], false),
    'with an event': () => write(world, (writer) => tenants[writer % TENANTS], true),
    'with an event, one tenant': () => write(world, () => tenants[0], true),
  };
  const samples = new Map<string, number[]>(Object.keys(variants).map((name) => [name, []]));
  for (let round = 0; round <= environment.options.rounds; round++)
    for (const [name, run] of Object.entries(variants)) {
      const perSecond = await run();
      // The first round warms up.
      if (round > 0) samples.get(name)!.push(perSecond);
      environment.progress(`round ${round}: ${name} ${rounded(perSecond)} a second`);
    }
  const of = (name: string) => median(samples.get(name)!);
  const followed = await follow(world, environment);
  const rows = [
    ...[...samples.keys()].map((variant) => rowOf(variant, of(variant))),
    rowOf('followed', followed.perSecond),
    rowOf('verified', followed.verifyPerSecond),
  ];
  return {
    rows,
    ratios: {
      vsPlainTransaction: rounded(of('with an event') / of('a plain transaction')),
      tenants64VsOne: rounded(of('with an event') / of('with an event, one tenant')),
      followerHeapGrowthMb: rounded(followed.heapGrowthMb),
      verifyPerSecond: rounded(followed.verifyPerSecond),
    },
  };
}

function rowOf(variant: string, opsPerSecond: number): Row {
  return { variant, opsPerSecond: rounded(opsPerSecond), p50Ms: 0, p99Ms: 0 };
}

/** Transactions a second of 64 writers, each of which inserts a row. */
async function write(
  { connection, context, log, url }: World,
  tenantOf: (writer: number) => Tenant,
  withEvent: boolean,
): Promise<number> {
  const count = async () => {
    const [row] = await queryAt<{ n: string }>(url, 'SELECT count(*) AS n FROM tenancy.tenant_event_outbox');
    return Number(row.n);
  };
  const before = await count();
  const start = performance.now();
  const writers = Array.from({ length: WRITERS }, (_, writer) =>
    context.run(tenantOf(writer), async () => {
      for (let index = 0; index < EACH; index++)
        await connection.transaction(async (manager) => {
          await manager.query('INSERT INTO note (text) VALUES ($1)', [`note ${index}`]);
          if (withEvent) await log.record('note.written', { index });
        });
    }),
  );
  await Promise.all(writers);
  const perSecond = ((WRITERS * EACH) / (performance.now() - start)) * 1_000;
  const recorded = (await count()) - before;
  if (recorded !== (withEvent ? WRITERS * EACH : 0))
    throw new WrongAnswerError('recording', withEvent ? WRITERS * EACH : 0, recorded);
  return perSecond;
}

async function follow({ url, tenants, trail, follower }: World, { progress }: BenchEnvironment) {
  await trail.list({ limit: 1 });
  let seen = 0;
  let done = () => undefined as void;
  const all = new Promise<void>((resolve) => (done = resolve));
  const heaps: number[] = [];
  const start = performance.now();
  const end = follower.follow(
    { name: 'bench', types: ['bench.*'], from: 'beginning', batch: 100 },
    (events) => {
      const look = Math.floor((seen * LOOKS) / FOLLOWED);
      seen += events.length;
      if (Math.floor((seen * LOOKS) / FOLLOWED) > look) {
        collectGarbage();
        heaps.push(process.memoryUsage().heapUsed);
      }
      if (seen >= FOLLOWED) done();
    },
  );
  await queryAt(
    url,
    `INSERT INTO tenancy.tenant_event_outbox (id, tenant_id, type, actor_type, data)
     SELECT gen_random_uuid(), ($1::uuid[])[1 + n % ${TENANTS}], 'bench.counted', 'system', json_build_object('n', n)
     FROM generate_series(1, ${FOLLOWED}) n`,
    [tenants.map(({ id }) => id)],
  );
  await all;
  const perSecond = (FOLLOWED / (performance.now() - start)) * 1_000;
  await end();
  if (seen !== FOLLOWED) throw new WrongAnswerError('followed', FOLLOWED, seen);
  progress(`followed: ${rounded(perSecond)} a second`);
  const half = Math.ceil(heaps.length / 2);
  const heapGrowthMb = (median(heaps.slice(half)) - median(heaps.slice(1, half))) / 1_048_576;
  const verifyStart = performance.now();
  let verified = 0;
  for (const { id } of tenants) {
    const { problems, checked } = await trail.verify(id);
    if (problems.length > 0) throw new WrongAnswerError('verified', [], problems);
    verified += checked;
  }
  const verifyPerSecond = (verified / (performance.now() - verifyStart)) * 1_000;
  progress(`verified: ${rounded(verifyPerSecond)} a second`);
  return { perSecond, heapGrowthMb, verifyPerSecond };
}

async function openWorld({ server, cleanUp }: BenchEnvironment): Promise<World> {
  const contents = { name: 'events', description: 'nothing', build: () => Promise.resolve() };
  const url = await openDatabase(server, contents, cleanUp);
  const app = await NestFactory.createApplicationContext(
    {
      module: class AppModule {},
      imports: [
        TenancyModule.forRoot({
          database: { url, poolSize: 20 },
          entities: [],
          migrations: [CreateNotes1700000000000],
          resolvers: [fromHeader('x-tenant-id')],
        }),
        TenancyEventsModule.forRoot(),
      ],
    },
    { logger: ['error', 'warn'] },
  );
  cleanUp.add(() => app.close());
  const tenants: Tenant[] = [];
  for (let index = 0; index < TENANTS; index++)
    tenants.push(await app.get(TenantProvisioner).create({ slug: `tenant-${index}` }));
  const get = <T>(type: Type<T>): T => app.get(type, { strict: false });
  return {
    ...{ url, tenants },
    ...{ connection: get(TenantConnection), context: get(TenantContext) },
    ...{ log: get(TenantEventLog), trail: get(EventTrail), follower: get(EventFollower) },
  };
}
