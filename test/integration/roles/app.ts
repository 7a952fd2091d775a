import type { PoolClient } from 'pg';
import type { DynamicModule, INestApplication } from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import {
  ADMIN_DATA_SOURCE,
  TENANT_DATA_SOURCE,
  type Tenant,
  TenancyModule,
  TenantContext,
  type TenancyOptions,
} from '../../../lib';
import { notesOptions } from '../../support/notes';
import { startPgBouncer } from '../../support/system/pgbouncer';
import { startTestApp, type TestApp } from '../../support/test-app';
import { behindPooler } from '../../support/database';
import { createRolesDatabase, type RolesDatabase } from '../../support/two-roles';

/** An application with `roles: true`, on a database of its own. */
export interface RolesApp extends TestApp {
  readonly database: RolesDatabase;
  readonly tenants: DataSource;
  readonly admin: DataSource;
  readonly context: TenantContext;
  /** Rows of one statement, run for a tenant as requests do. */
  as<Row = Record<string, unknown>>(tenant: Tenant, sql: string, parameters?: unknown[]): Promise<Row[]>;
  /** What `work` gives, on one connection lent to a tenant. */
  withClient<T>(tenant: Tenant, work: (client: PoolClient) => Promise<T>): Promise<T>;
}

/** Where a pooler is part of the run, requests go through one of their own, since its sessions are one role's. */
export async function startRolesApp(
  changes: Partial<TenancyOptions> = {},
  imports: DynamicModule[] = [],
): Promise<RolesApp> {
  const database = await createRolesDatabase();
  for (const name of changes.sharedSchemas ?? [])
    await database.query(
      `CREATE SCHEMA ${name} AUTHORIZATION ${database.admin}; GRANT USAGE ON SCHEMA ${name} TO PUBLIC`,
    );
  const pooler = behindPooler ? await startPgBouncer(database.loginUrl) : undefined;
  const url = pooler
    ? Object.assign(new URL(pooler.url), { pathname: new URL(database.url).pathname }).href
    : database.loginUrl;
  try {
    const running = await startRolesAppOn(database, changes, url, imports);
    const parts = partsOf(running.app);
    return {
      ...running,
      ...parts,
      database,
      as: (tenant, sql, parameters) => parts.context.run(tenant, () => parts.tenants.query(sql, parameters)),
      withClient: (tenant, work) =>
        parts.context.run(tenant, async () => {
          const queryRunner = parts.tenants.createQueryRunner();
          try {
            return await work((await queryRunner.connect()) as PoolClient);
          } finally {
            await queryRunner.release();
          }
        }),
      close: async () => {
        await running.close();
        await pooler?.stop();
        await database.drop();
      },
    };
  } catch (error) {
    await pooler?.stop();
    await database.drop();
    throw error;
  }
}

/** One more application on a database that is there. */
export function startRolesAppOn(
  database: RolesDatabase,
  changes: Partial<TenancyOptions> = {},
  url = database.loginUrl,
  imports: DynamicModule[] = [],
): Promise<TestApp> {
  const { adminUrl } = database;
  const own = { url, adminUrl, directUrl: database.loginUrl, connectAttempts: 1, ...changes.database };
  const options = notesOptions(database, { roles: true, ...changes, database: own });
  return startTestApp({ imports: [TenancyModule.forRoot(options), ...imports] });
}

function partsOf(app: INestApplication) {
  return {
    context: app.get(TenantContext),
    tenants: app.get<DataSource>(getDataSourceToken(TENANT_DATA_SOURCE)),
    admin: app.get<DataSource>(getDataSourceToken(ADMIN_DATA_SOURCE)),
  };
}

/** PostgreSQL's insufficient_privilege. */
export const REFUSED = expect.objectContaining({ driverError: expect.objectContaining({ code: '42501' }) });
