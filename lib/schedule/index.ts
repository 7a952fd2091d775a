/**
 * Timers that run for every tenant, once for all instances.
 *
 * @module nestjs-tenancy/schedule
 */

export { TenancyScheduleModule } from './tenancy-schedule.module';
export { type TenancyScheduleOptions } from './schedule.options';
export {
  type MissedFires,
  TenantCron,
  type TenantCronCall,
  type TenantCronOptions,
} from './tenant-cron.decorator';
export { TenantTimers } from './tenant-timers';
export { type TenantTimerFailure, type TenantTimerRun, type TenantTimerStatus } from './timer-report';
export { InvalidScheduleError } from './schedule.errors';
