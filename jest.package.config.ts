/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';
import base from './jest.config';

/** Installs the packed package, and the repository itself, as their users would: minutes, and it needs the network. */
const config: Config = {
  ...base,
  testMatch: ['<rootDir>/test/package/**/*.spec.ts'],
  globalSetup: '<rootDir>/test/package/global-setup.ts',
  globalTeardown: '<rootDir>/test/package/global-teardown.ts',
  testTimeout: 600_000,
};

export default config;
