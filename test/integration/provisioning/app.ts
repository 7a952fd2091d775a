import type { ModuleMetadata } from '@nestjs/common';
import { TenancyModule, type TenancyOptions } from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { notesOptions } from '../../support/notes';
import { startTestApp, type TestApp } from '../../support/test-app';

/** An application with a database of its own. */
export interface ProvisioningApp extends TestApp {
  readonly database: TestDatabase;
  /** Names of the tenants' schemas that are there. */
  schemas(): Promise<string[]>;
}

export async function startProvisioningApp(
  changes: Partial<TenancyOptions> = {},
  metadata: ModuleMetadata = {},
): Promise<ProvisioningApp> {
  const database = await createTestDatabase();
  for (const name of changes.sharedSchemas ?? []) await database.query(`CREATE SCHEMA ${name}`);
  const running = await startAppOn(database, changes, metadata).catch(async (error: unknown) => {
    await database.drop();
    throw error;
  });
  return {
    ...running,
    database,
    schemas: () => schemasOf(database),
    close: async () => {
      await running.close();
      await database.drop();
    },
  };
}

/** One more application on a database that is there. */
export function startAppOn(
  database: TestDatabase,
  changes: Partial<TenancyOptions> = {},
  { imports = [], ...metadata }: ModuleMetadata = {},
): Promise<TestApp> {
  return startTestApp({
    ...metadata,
    imports: [TenancyModule.forRoot(notesOptions(database, withDatabase(database, changes))), ...imports],
  });
}

/** What one test has to itself. */
export interface OwnDatabase {
  readonly database: TestDatabase;
  /** Closed at the end of the test. */
  readonly apps: TestApp[];
  start(changes?: Partial<TenancyOptions>, metadata?: ModuleMetadata): Promise<TestApp>;
  /** All that are open, before the test's end. */
  closeAll(): Promise<void>;
}

/** A database for each test of the file, or of the `describe` that calls it, and the applications that it starts on it. */
export function ownDatabase(defaults: Partial<TenancyOptions> = {}): OwnDatabase {
  let current: TestDatabase;
  const apps: TestApp[] = [];
  const closeAll = async () => {
    for (const { close } of apps.splice(0)) await close();
  };
  beforeEach(async () => {
    current = await createTestDatabase();
  });
  afterEach(async () => {
    await closeAll();
    await current.drop();
  });
  return {
    database: {
      get url() {
        return current.url;
      },
      get poolUrl() {
        return current.poolUrl;
      },
      urlOn: (server) => current.urlOn(server),
      query: (sql, values) => current.query(sql, values),
      drop: () => current.drop(),
    },
    apps,
    closeAll,
    async start(changes, metadata) {
      const app = await startAppOn(current, { ...defaults, ...changes }, metadata);
      apps.push(app);
      return app;
    },
  };
}

export async function schemasOf(database: TestDatabase): Promise<string[]> {
  const found = await database.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 't\\_%' ORDER BY 1`,
  );
  return found.map(({ name }) => name);
}

/** A pool of another size must not lose the URL. */
function withDatabase({ url }: TestDatabase, changes: Partial<TenancyOptions>): Partial<TenancyOptions> {
  return { ...changes, database: { url, connectAttempts: 1, ...changes.database } };
}
