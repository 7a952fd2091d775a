import {
  MoveSweeper,
  type TenancyOptions,
  type Tenant,
  TenantConnection,
  TenantContext,
  TenantMover,
  TenantProvisioner,
  TenantStore,
} from '../../../lib';
import type { EmbeddedPostgres } from '../../../lib/testing/embedded-postgres';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { startLogicalServer } from '../../support/logical-server';
import type { TestApp } from '../../support/test-app';
import { startAppOn } from '../provisioning/app';
import { startWay, type Way } from '../servers/world';

export const PLACES = ['default', 'eu', 'us'] as const;

export type PlaceName = (typeof PLACES)[number];

/** An application on three databases of one PostgreSQL whose log can be followed; the way to each can be cut. */
export interface OnlineWorld extends TestApp {
  readonly server: EmbeddedPostgres;
  readonly databases: Readonly<Record<PlaceName, TestDatabase>>;
  readonly ways: Readonly<Record<PlaceName, Way>>;
  readonly mover: TenantMover;
  readonly sweep: () => ReturnType<MoveSweeper['sweep']>;
  createAt(slug: string, server?: PlaceName): Promise<Tenant>;
  find(slug: string): Promise<Tenant>;
  query<T = Record<string, unknown>>(tenant: Tenant, sql: string): Promise<T[]>;
  /** The publications, slots and subscriptions of moves, on all. */
  links(): Promise<string[]>;
  /** Tenants' schemas in a database, by their names. */
  schemas(server: string): Promise<string[]>;
}

export async function startOnlineWorld(changes: Partial<TenancyOptions> = {}): Promise<OnlineWorld> {
  const server = await startLogicalServer();
  const make = async <T>(work: (name: PlaceName) => Promise<T>) => ({
    default: await work('default'),
    eu: await work('eu'),
    us: await work('us'),
  });
  const databases = await make(() => createTestDatabase(server.url));
  const ways = await make((name) => startWay(databases[name]));
  const running = await startAppOn(databases.default, {
    database: { url: ways.default.url, connectAttempts: 1 },
    servers: { eu: { url: ways.eu.url }, us: { url: ways.us.url } },
    ...changes,
  });
  const { app } = running;
  const all = async (sql: string) => {
    const found = await Promise.all(PLACES.map((name) => databases[name].query<{ name: string }>(sql)));
    return found.flat().map(({ name }) => name);
  };
  return {
    ...running,
    ...{ server, databases, ways },
    mover: app.get(TenantMover),
    sweep: () => app.get(MoveSweeper).sweep(),
    createAt: (slug, name = 'default') =>
      app.get(TenantProvisioner).create({ slug }, { place: { server: name } }),
    find: async (slug) => (await app.get<TenantStore>(TenantStore).find({ by: 'slug', value: slug }))!,
    query: <T>(tenant: Tenant, sql: string) =>
      app.get(TenantContext).run(tenant, () => app.get(TenantConnection).query<T[]>(sql)),
    links: () =>
      all(`SELECT 'publication ' || pubname AS name FROM pg_publication
        UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
        UNION ALL SELECT 'subscription ' || subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
        WHERE d.datname = current_database()`),
    schemas: async (name) => {
      const found = await databases[name as PlaceName].query<{ name: string }>(
        `SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^(moved_)?t_' ORDER BY 1`,
      );
      return found.map((row) => row.name);
    },
    close: async () => {
      await running.close();
      for (const name of PLACES) await ways[name].cut();
      await server.stop();
    },
  };
}
