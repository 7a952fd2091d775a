/**
 * Queues of BullMQ, whose jobs run for the tenant that added them.
 *
 * @module nestjs-tenancy/bullmq
 */

export {
  TenancyBullmqModule,
  type TenantFlowProducerRegistration,
  type TenantQueueAsyncRegistration,
  type TenantQueueRegistration,
} from './tenancy-bullmq.module';
export { type TenancyBullmqOptions } from './bullmq.options';
export { TenantQueue, type TenantQueueSettings } from './tenant-queue';
export { TenantFlowProducer } from './tenant-flow-producer';
export { TenantProcessor } from './tenant-processor.decorator';
export { TenantJobs } from './tenant-jobs';
export { type TenantJobsOptions } from './job-stamps';
export {
  InvalidBullmqOptionsError,
  JobIdSharedError,
  JobNotFairError,
  ProcessorNotTenantsError,
  QueueUnavailableError,
} from './bullmq.errors';
