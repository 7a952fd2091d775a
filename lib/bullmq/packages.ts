import type { RedisQueueBackend } from 'bullmq';
import { loadPackage } from '../common/absent-package';

const PURPOSE = 'nestjs-tenancy/bullmq';

/** The packages of the application, loaded when the first class of this folder is. */
export const bullmq = loadPackage<typeof import('bullmq')>('bullmq', PURPOSE, () => require('bullmq'));
export const nestBullmq = loadPackage<typeof import('@nestjs/bullmq')>('@nestjs/bullmq', PURPOSE, () =>
  require('@nestjs/bullmq'),
);

/** The backend on PostgreSQL cannot keep the priorities that were given. */
export function isRedis(backend: object): backend is RedisQueueBackend {
  return 'client' in backend;
}
