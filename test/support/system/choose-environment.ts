import { type EnvironmentName, VARIABLES, type VariablesByEnvironment } from './environments';

declare global {
  /** Of the Jest project that this file runs in. */
  var systemTestEnvironment: EnvironmentName;
}

const environments = JSON.parse(process.env[VARIABLES] ?? '{}') as VariablesByEnvironment;
Object.assign(process.env, environments[globalThis.systemTestEnvironment]);
