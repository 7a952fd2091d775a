/**
 * Usage and quotas.
 *
 * @module nestjs-tenancy/usage
 */

export { TenancyUsageModule } from './tenancy-usage.module';
export {
  type Quota,
  type QuotaPeriod,
  type Quotas,
  type QuotaWarning,
  type TenancyUsageExtras,
  type TenancyUsageOptions,
} from './usage.options';
export { type PlanReader } from '../registry/tenant-plans';
export { Metered } from './metered.decorator';
export { TenantUsage, type UsageReservation } from './tenant-usage';
export { type UsageRange, UsageReports } from './usage-reports';
export { type ConnectionUsage, type MetricUsage, type QuotaUsage, type UsageReport } from './usage-report';
export { type StorageUsage } from './tenant-storage';
export { InvalidMetricError, InvalidUsageOptionsError, QuotaExceededError } from './usage.errors';
