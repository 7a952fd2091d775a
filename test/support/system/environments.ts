/** The servers of `npm run test:system`, and the ways to them. */
export type EnvironmentName =
  'PostgreSQL 15' | 'PostgreSQL 18' | 'PostgreSQL 15 behind PgBouncer' | 'PostgreSQL 18 behind PgBouncer';

/** What test files find in the variables of their process. */
export interface TestVariables {
  /** The superuser's, without a pooler. */
  readonly TEST_SERVER_URL: string;
  /** The same server through a pooler, for what is under test. */
  readonly TEST_POOLER_URL?: string;
}

/** How the global setup tells all workers, and each file its own. */
export const VARIABLES = 'TEST_SYSTEM_ENVIRONMENTS';

export type VariablesByEnvironment = Readonly<Record<EnvironmentName, TestVariables>>;
