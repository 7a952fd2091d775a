import type { Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import {
  type Tenant,
  TenancyModule,
  TenantConnection,
  TenantContext,
  TenantLifecycle,
  TenantProvisioner,
  TenantTransactions,
  fromHeader,
} from '../../../lib';
import type { TenantPool } from '../../../lib/connection/tenant-pool';
import type { TestDatabase } from '../database';
import { startTestApp } from '../test-app';
import { Account, CreateShop1700000000000, Entry } from './shop';
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
  readonly instances: readonly HammerInstance[];
  readonly tenants: readonly Tenant[];
  /** Without waiting for what is lent: what is broken on purpose may never give it back. */
  abandon(): void;
  close(): Promise<void>;
}

export interface HammerWorldOptions {
  readonly database: Pick<TestDatabase, 'url' | 'query'>;
  /** Where each instance's pool leads: to the database, or to a pooler before it. */
  readonly poolUrls: readonly string[];
  readonly poolSize: number;
  readonly tenants: number;
}

/** Instances of one application on one database, and its tenants. */
export async function startHammerWorld(options: HammerWorldOptions): Promise<HammerWorld> {
  const instances: HammerInstance[] = [];
  for (const poolUrl of options.poolUrls) instances.push(await startInstance(options, poolUrl));
  const provisioner = instances[0].app.get(TenantProvisioner);
  const tenants: Tenant[] = [];
  for (let i = 0; i < options.tenants; i++) tenants.push(await provisioner.create({ slug: `h${i}` }));
  const closeAll = () => Promise.all(instances.map(({ app }) => app.close()));
  return {
    instances,
    tenants,
    abandon() {
      for (const { app } of instances) {
        const server = app.getHttpServer() as Server;
        server.close().closeAllConnections();
      }
      void closeAll().catch(() => undefined);
    },
    close: async () => void (await closeAll()),
  };
}

async function startInstance(
  { database, poolSize }: HammerWorldOptions,
  poolUrl: string,
): Promise<HammerInstance> {
  const { app, url } = await startTestApp({
    imports: [
      TenancyModule.forRoot({
        database: { url: poolUrl, directUrl: database.url, poolSize, connectAttempts: 1 },
        entities: [Account, Entry],
        migrations: [CreateShop1700000000000],
        resolvers: [fromHeader('x-tenant-id')],
        sweeper: { intervalMs: 0 },
        // A connection that is cut while it is idle is no news here.
        typeorm: { poolErrorHandler: () => undefined },
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
