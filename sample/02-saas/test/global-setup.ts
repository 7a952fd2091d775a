import { type EmbeddedPostgres, startEmbeddedPostgres } from 'nestjs-tenancy/testing';

declare global {
  var postgresForTests: EmbeddedPostgres | undefined;
}

/** One server and one database for all tests: each test makes tenants of its own. */
export default async function globalSetup(): Promise<void> {
  globalThis.postgresForTests = await startEmbeddedPostgres({ parameters: { max_connections: 200 } });
  process.env.DATABASE_URL = globalThis.postgresForTests.url;
  process.env.TENANCY_MASTER_KEY = 'a-master-key-for-tests-of-32-characters';
  process.env.METRICS_TOKEN = 'a-metrics-token-for-tests';
}
