/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';
import base from './jest.config';

const NEST_11 = '<rootDir>/test/nest-11/node_modules';

/** The end-to-end suites on Nest 11, which lies in a folder of its own. Nothing else differs from `npm test`. */
const config: Config = {
  ...base,
  testMatch: ['<rootDir>/test/e2e/**/*.spec.ts', '<rootDir>/test/nest-11/*.spec.ts'],
  moduleNameMapper: { ...base.moduleNameMapper, '^(@nestjs/.*)$': `${NEST_11}/$1` },
  // It is CommonJS.
  transformIgnorePatterns: ['/test/nest-11/node_modules/', ...base.transformIgnorePatterns!],
};

export default config;
