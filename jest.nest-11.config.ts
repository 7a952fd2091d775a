/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';
import base from './jest.config';

const NEST_11 = '<rootDir>/test/nest-11/node_modules';

/**
 * The end-to-end suites in which most goes through Nest: modules and their lives, routes, guards and the like, other
 * transports, and the modules of Nest that ours build on. What the others ask, they ask of PostgreSQL and of us.
 */
const THROUGH_NEST = [
  'access',
  'adapters',
  'admin-openapi',
  'after-commit',
  'app-{enhancers,http,middleware,several,shutdown}',
  'bullmq-start',
  'cache{,-interceptor}',
  'domains',
  'durable-classes',
  'emissions',
  'entities-ahead',
  'failed-start',
  'file-stores',
  'files',
  'graphql{,-subscriptions}',
  'jwt',
  'module',
  'module-checks',
  'observability',
  'orders-sample',
  'resolution',
  'resolution-path',
  'schedule',
  'shared-cache',
  'tenant-transaction',
  'throttling',
  'transports-{jobs,tcp,websocket}',
];

/** On Nest 11, which lies in a folder of its own. Nothing else differs from `npm test`. */
const config: Config = {
  ...base,
  testMatch: [
    ...THROUGH_NEST.map((name) => `<rootDir>/test/e2e/${name}.spec.ts`),
    '<rootDir>/test/nest-11/*.spec.ts',
    // They need Redis, which must be installed.
    '<rootDir>/test/system/queues.spec.ts',
  ],
  moduleNameMapper: { ...base.moduleNameMapper, '^(@nestjs/.*)$': `${NEST_11}/$1` },
  // It is CommonJS, but for what Mercurius imports.
  transformIgnorePatterns: [
    '/test/nest-11/node_modules/(?!(mercurius|quick-lru)/)',
    ...base.transformIgnorePatterns!,
  ],
};

export default config;
