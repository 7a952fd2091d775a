/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';
import base from './jest.config';
import { ENVIRONMENTS } from './test/support/system/environments';

const { transform, transformIgnorePatterns, moduleNameMapper, testTimeout, maxWorkers } = base;

/** Where `npm test` has not run them already: it has an embedded PostgreSQL 18 of its own. */
const TESTED = ENVIRONMENTS.filter((name) => name !== 'PostgreSQL 18');

/**
 * The suites of the connection layer on the oldest and the newest PostgreSQL, directly and behind PgBouncer. They need
 * system packages, and fail without them.
 */
const config: Config = {
  testTimeout,
  maxWorkers,
  projects: TESTED.map((displayName) => ({
    displayName,
    transform,
    transformIgnorePatterns,
    moduleNameMapper,
    testTimeout,
    testMatch: [
      '<rootDir>/test/integration/connection/**/*.spec.ts',
      '<rootDir>/test/integration/roles/**/*.spec.ts',
      '<rootDir>/test/isolation/**/*.spec.ts',
      // Isolation levels, locks and streams, as TypeORM asks for them.
      '<rootDir>/test/integration/typeorm/{transactions,query-builder}.spec.ts',
      // pg_dump of a version reads servers up to its own.
      ...(displayName === 'PostgreSQL 15'
        ? ['<rootDir>/test/oracle/**/*.spec.ts', '<rootDir>/test/versions/**/*.spec.ts']
        : []),
      ...(displayName.endsWith('PgBouncer') ? ['<rootDir>/test/system/**/*.spec.ts'] : []),
    ],
    globals: { systemTestEnvironment: displayName },
    setupFiles: ['<rootDir>/test/support/system/choose-environment.ts'],
    globalSetup: '<rootDir>/test/support/system/global-setup.ts',
    globalTeardown: '<rootDir>/test/support/system/global-teardown.ts',
  })),
};

export default config;
