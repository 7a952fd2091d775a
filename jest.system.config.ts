/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';
import base from './jest.config';
import type { EnvironmentName } from './test/support/system/environments';

const {
  transform,
  transformIgnorePatterns,
  moduleNameMapper,
  testTimeout,
  maxWorkers,
  workerIdleMemoryLimit,
} = base;

const CONNECTION = 'test/integration/connection';
/** What PostgreSQL's version and the pooler have a part in. The rest is between the pool and its users. */
const STATEMENTS = `${CONNECTION}/{application-name,cancel,copy,fail-closed,hidden-commands,missing-schema,round-trips,session-remains,sql-lexer,statements,transactions}.spec.ts`;
const ISOLATION = 'test/isolation';
/** What a server has that is not the registry's. */
const SERVERS = 'test/integration/servers';
const ROLES = 'test/integration/roles';
/** Isolation levels, locks and streams, as TypeORM asks for them. */
const TYPEORM = 'test/integration/typeorm/{transactions,query-builder}.spec.ts';
/** SQL as people write it, which versions print each in its own way, and what it does then. */
const WRITTEN_BY_HAND = 'test/integration/schema/{written-by-hand,same-behaviour}.spec.ts';

/** What may differ there from where `npm test` runs: on an embedded PostgreSQL 18, without a pooler. */
const SUITES: Readonly<Partial<Record<EnvironmentName, readonly string[]>>> = {
  // pg_dump of a version reads servers up to its own.
  'PostgreSQL 15': [STATEMENTS, SERVERS, ROLES, TYPEORM, WRITTEN_BY_HAND, 'test/oracle', 'test/versions'],
  'PostgreSQL 15 behind PgBouncer': [CONNECTION, ISOLATION, TYPEORM, 'test/system'],
  'PostgreSQL 18 behind PgBouncer': [
    STATEMENTS,
    ISOLATION,
    `${ROLES}/{missing-schema,wall}.spec.ts`,
    'test/system',
  ],
};

/**
 * Recycling is of sessions that are the application's own; behind a pooler it is left to the pooler: docs/connections.md.
 * Which of a pooler's sessions is met, one that cannot be emptied or another, is chance.
 */
const OF_OWN_SESSIONS = [`${CONNECTION}/recycling.spec.ts`, `${CONNECTION}/session-not-clean.spec.ts`];

/** They bring servers of their own, or ask of PostgreSQL what others of this run do: once is enough. */
const RUN_ONCE = [
  'test/system/queues.*.spec.ts',
  'test/system/webhooks.*.spec.ts',
  'test/system/standby.spec.ts',
  'test/system/redis-store.spec.ts',
  'test/system/files-ceph.spec.ts',
];

/**
 * The suites of the connection layer on the oldest and the newest PostgreSQL, directly and behind PgBouncer. They need
 * system packages, and fail without them.
 */
const config: Config = {
  testTimeout,
  maxWorkers,
  workerIdleMemoryLimit,
  projects: Object.entries(SUITES).map(([displayName, suites]) => ({
    displayName,
    transform,
    transformIgnorePatterns,
    moduleNameMapper,
    testTimeout,
    testMatch: suites.map((suite) => `<rootDir>/${suite.endsWith('.ts') ? suite : `${suite}/**/*.spec.ts`}`),
    testPathIgnorePatterns: [
      '/node_modules/',
      ...(displayName.endsWith('behind PgBouncer') ? OF_OWN_SESSIONS : []),
      ...(displayName === 'PostgreSQL 18 behind PgBouncer' ? RUN_ONCE : []),
    ],
    globals: { systemTestEnvironment: displayName },
    setupFiles: ['<rootDir>/test/support/system/choose-environment.ts'],
    globalSetup: '<rootDir>/test/support/system/global-setup.ts',
    globalTeardown: '<rootDir>/test/support/system/global-teardown.ts',
  })),
};

export default config;
