import { explainAbsent } from '../common/absent-package';

/** The packages of the application, loaded when the first class of this folder is. */
export const bullmq = load<typeof import('bullmq')>('bullmq', () => require('bullmq'));
export const nestBullmq = load<typeof import('@nestjs/bullmq')>('@nestjs/bullmq', () =>
  require('@nestjs/bullmq'),
);

function load<Package>(name: string, require: () => unknown): Package {
  try {
    return require() as Package;
  } catch (error) {
    throw explainAbsent(error, name, 'nestjs-tenancy/bullmq');
  }
}
