import type { ModuleMetadata } from '@nestjs/common';
import {
  type Tenant,
  TenantConnection,
  TenantContext,
  type TenancyOptions,
  TenantProvisioner,
} from '../../../lib';
import type { CreateTenantOptions } from '../../../lib/provisioning/tenant-provisioner';
import type { TestDatabase } from '../../support/database';
import { Note } from '../../support/notes';
import { type World, startWorld } from '../servers/world';

/** An application whose tenants may have databases of their own. */
export interface DatabasesWorld extends World {
  /** A tenant with a database of its own. */
  own(slug: string, options?: CreateTenantOptions): Promise<Tenant>;
  write(tenant: Tenant, text: string): Promise<unknown>;
  read(tenant: Tenant): Promise<string[]>;
  /** Names of the databases that are this registry's, or noted by it. */
  databases(): Promise<string[]>;
}

export async function startDatabases(
  changes: Partial<TenancyOptions> = {},
  metadata: ModuleMetadata = {},
): Promise<DatabasesWorld> {
  const world = await startWorld(
    { sweeper: { intervalMs: 0, orphanAfterMs: 0 }, ...changes },
    undefined,
    metadata,
  );
  const as = <T>(tenant: Tenant, work: (connection: TenantConnection) => Promise<T>) =>
    world.app.get(TenantContext).run(tenant, () => work(world.app.get(TenantConnection)));
  return {
    ...world,
    own: (slug, options = {}) =>
      world.app
        .get(TenantProvisioner)
        .create({ slug }, { ...options, place: { isolation: 'database', ...options.place } }),
    write: (tenant, text) => as(tenant, (connection) => connection.getRepository(Note).save({ text })),
    read: async (tenant) =>
      (await as(tenant, (connection) => connection.getRepository(Note).find({ order: { id: 'ASC' } }))).map(
        ({ text }) => text,
      ),
    databases: () => databasesOf(world.database),
    close: async () => {
      const names = [...(await databasesOf(world.database)), ...(await notedIn(world.eu))];
      await world.app.close();
      for (const name of new Set(names))
        await world.database.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await world.close();
    },
  };
}

export async function databasesOf(database: TestDatabase): Promise<string[]> {
  const found = await database.query<{ name: string }>(
    `SELECT datname AS name FROM pg_database d
     WHERE shobj_description(d.oid, 'pg_database') LIKE '%registry ' || (SELECT id FROM tenancy.registry_identity)
        OR datname IN (SELECT name FROM tenancy.databases) ORDER BY 1`,
  );
  return found.map(({ name }) => name);
}

async function notedIn(database: TestDatabase): Promise<string[]> {
  const found = await database.query<{ name: string }>('SELECT name FROM tenancy.databases');
  return found.map(({ name }) => name);
}

/** A session in another database of the same server. */
export function urlOf({ url }: TestDatabase, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}
