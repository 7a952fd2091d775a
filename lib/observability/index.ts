/**
 * Logs, metrics, spans and health.
 *
 * @module nestjs-tenancy/observability
 */

export { TenancyObservabilityModule } from './tenancy-observability.module';
export { type MetricsOptions, type TenancyObservabilityOptions } from './observability.options';
export { type TenantLogFields, tenantLogMixin } from './tenant-log-mixin';
export { type LoggedRequest, loggedRequest, loggedUrl } from './logged-url';
export { SECRET_HEADERS } from './secret-headers';
export { TenancyHealth, type TenancyHealthResult } from './tenancy-health';
export { InvalidObservabilityOptionsError } from './observability.errors';
