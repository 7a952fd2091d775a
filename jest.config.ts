/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

/** Packages that ship only ES modules, or import one; Jest runs CommonJS, so they are transformed like our own code. */
const ESM_ONLY = ['@nestjs', 'jose', 'mercurius', 'quick-lru'];

const config: Config = {
  testMatch: [
    '<rootDir>/lib/**/*.spec.ts',
    '<rootDir>/test/*.spec.ts',
    '<rootDir>/test/{integration,e2e,isolation}/**/*.spec.ts',
  ],
  transform: {
    '^.+\\.[jt]s$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        },
        module: { type: 'commonjs' },
      },
    ],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${ESM_ONLY.join('|')})/)`],
  moduleNameMapper: {
    '^nestjs-tenancy$': '<rootDir>/lib/index.ts',
    '^nestjs-tenancy/([a-z]+|bullmq|files/s3)$': '<rootDir>/lib/$1/index.ts',
  },
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  // Whole applications start and PostgreSQL is real: on a busy machine a test takes ten times as long as on a quiet one.
  testTimeout: 120_000,
  maxWorkers: 2,
  // V8 lets the modules of suites that have ended lie about until a worker has two gigabytes: a new one costs two seconds.
  workerIdleMemoryLimit: '600MB',
  coverageProvider: 'v8',
};

export default config;
