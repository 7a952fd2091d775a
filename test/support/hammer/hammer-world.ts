import type { Server } from 'node:http';
import type { DynamicModule, INestApplication } from '@nestjs/common';
import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import {
  type TenancyOptions,
  type Tenant,
  TenancyModule,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
  TenantProvisioner,
  TenantTransactions,
  fromHeader,
} from '../../../lib';
import type { TenantPool } from '../../../lib/connection/pool/tenant-pool';
import type { TestDatabase } from '../database';
import { startTestApp } from '../test-app';
import { Account, CreateShop1700000000000, Entry, rowOf } from './shop';
import { ShopController } from './shop.controller';

/** One of the applications that are hammered. */
export interface HammerInstance {
  readonly app: INestApplication;
  readonly url: string;
  readonly context: TenantContext;
  readonly dataSource: DataSource;
  readonly pool: TenantPool;
  readonly transactions: TenantTransactions;
  readonly lifecycle: TenantLifecycle;
}

export interface HammerWorld {
  /** Where the tenant's rows are, as the registry says now. */
  databaseOf(tenant: Tenant): Promise<Pick<TestDatabase, 'query'>>;
  serverOf(tenant: Tenant): Promise<string>;
  at(server: string): Pick<TestDatabase, 'query'>;
  /** Ways to both that lead through no pooler, for another process. */
  readonly directUrl: string;
  readonly furtherUrl: string;
  readonly instances: readonly HammerInstance[];
  readonly tenants: readonly Tenant[];
  /** Tenants of their own whose schemas go away and come back. */
  readonly absentees: readonly Tenant[];
  /** Another application in the same database, with a registry of its own, that drops whatever it may. */
  readonly neighbour: INestApplication;
  /** Those that tenants have of their own. */
  dropDatabases(): Promise<void>;
  /** Without waiting for what is lent: what is broken on purpose may never give it back. */
  abandon(): void;
  close(): Promise<void>;
}

export interface HammerWorldOptions {
  readonly database: Pick<TestDatabase, 'url' | 'query'>;
  /** A further server, on which every second tenant lives. Every third has a database of its own, on either. */
  readonly further: Pick<TestDatabase, 'url' | 'poolUrl' | 'query'>;
  /** Where each instance's pool leads: to the database, or to a pooler before it. */
  readonly poolUrls: readonly string[];
  /** The database without a pooler, for the role of the pools. Default that of `database`. */
  readonly directUrl?: string;
  readonly poolSize: number;
  readonly tenants: number;
}

/** Nothing that it finds is too young for it. */
const NEIGHBOUR: Partial<TenancyOptions> = {
  registry: { schema: 'neighbour' },
  templateSchema: 'neighbour_template',
  sweeper: { intervalMs: 0, orphanAfterMs: 0, purgeAfterMs: 0 },
};

const DAY_MS = 24 * 60 * 60 * 1000;

function tenancy(url: string, options: Partial<TenancyOptions>): DynamicModule {
  return TenancyModule.forRoot({
    database: { url, connectAttempts: 1 },
    entities: [Account, Entry],
    migrations: [CreateShop1700000000000],
    resolvers: [fromHeader('x-tenant-id')],
    sweeper: { intervalMs: 0, purgeAfterMs: 30 * DAY_MS },
    // A connection that is cut while it is idle is no news here.
    typeorm: { poolErrorHandler: () => undefined },
    ...options,
  });
}

/** Another database of the same server, over a connection for each statement. */
function inside({ url }: Pick<TestDatabase, 'url'>, name: string): Pick<TestDatabase, 'query'> {
  const connectionString = Object.assign(new URL(url), { pathname: `/${name}` }).href;
  return {
    query: async <Row>(sql: string, values?: unknown[]) => {
      const client = new Client({ connectionString });
      await client.connect();
      try {
        return (await client.query(sql, values)).rows as Row[];
      } finally {
        await client.end();
      }
    },
  };
}

/** Of a process that only moves tenants. */
export function moverModule(url: string, furtherUrl: string): DynamicModule {
  return tenancy(url, { servers: { further: { url: furtherUrl } } });
}

/** Instances of one application on one database, and its tenants. */
export async function startHammerWorld(options: HammerWorldOptions): Promise<HammerWorld> {
  const instances: HammerInstance[] = [];
  for (const poolUrl of options.poolUrls) instances.push(await startInstance(options, poolUrl));
  const { app: neighbour } = await startTestApp({ imports: [tenancy(options.database.url, NEIGHBOUR)] });
  const provisioner = instances[0].app.get(TenantProvisioner);
  const tenants: Tenant[] = [];
  for (let i = 0; i < options.tenants; i++)
    tenants.push(
      await provisioner.create(
        { slug: `h${i}` },
        { place: { server: i % 2 ? 'further' : 'default', isolation: i % 3 === 2 ? 'database' : 'schema' } },
      ),
    );
  const own = tenants.filter(({ place }) => place.isolation === 'database');
  const absentees: Tenant[] = [];
  for (const slug of ['absent-1', 'absent-2']) {
    const tenant = await provisioner.create({ slug });
    await options.database.query(`SET search_path = "${tenant.schemaName}"; ${rowOf(slug)}`);
    absentees.push(tenant);
  }
  // Without a row: a neighbour that takes what is empty for nobody's would drop it.
  await provisioner.create({ slug: 'resting' });
  const apps = [neighbour, ...instances.map(({ app }) => app)];
  const serverOf = async ({ id }: Tenant) => {
    const [{ server }] = await options.database.query<{ server: string }>(
      'SELECT server FROM tenancy.tenants WHERE id = $1',
      [id],
    );
    return server;
  };
  const at = (server: string) => (server === 'further' ? options.further : options.database);
  const closeAll = () => Promise.all(apps.map((app) => app.close()));
  return {
    databaseOf: async (tenant) => {
      const { place, schemaName } = tenant;
      const server = at(await serverOf(tenant));
      return place.isolation === 'database' ? inside(server, schemaName) : server;
    },
    async dropDatabases() {
      for (const { schemaName } of own)
        await options.database.query(`DROP DATABASE IF EXISTS ${schemaName} WITH (FORCE)`);
    },
    serverOf,
    at,
    directUrl: options.directUrl ?? options.database.url,
    furtherUrl: options.further.url,
    instances,
    tenants,
    absentees,
    neighbour,
    abandon() {
      for (const app of apps) {
        const server = app.getHttpServer() as Server;
        server.close().closeAllConnections();
      }
      void closeAll().catch(() => undefined);
    },
    close: async () => void (await closeAll()),
  };
}

async function startInstance(
  { database, directUrl = database.url, further, poolSize }: HammerWorldOptions,
  poolUrl: string,
): Promise<HammerInstance> {
  const { app, url } = await startTestApp({
    imports: [
      tenancy(poolUrl, {
        // Who writes to a tenant that is copied waits for the end of that; on a slow machine for longer than the hammer does.
        database: {
          url: poolUrl,
          directUrl,
          poolSize,
          connectAttempts: 1,
          timeouts: { lockTimeoutMs: 10_000 },
        },
        servers: { further: { url: further.poolUrl, directUrl: further.url } },
      }),
      TenancyModule.forFeature([Account, Entry]),
    ],
    controllers: [ShopController],
  });
  const { dataSource } = app.get(TenantConnection);
  return {
    app,
    url,
    context: app.get(TenantContext),
    dataSource,
    pool: (dataSource.driver as unknown as { master: TenantPool }).master,
    transactions: app.get(TenantTransactions),
    lifecycle: app.get(TenantLifecycle),
  };
}
